// Runs before everything else, and is no module, so that it can say why the rest does not come.
(() => {
    const chinese = (navigator.language || "").startsWith("zh");
    const say = (english, chineseText) => {
        const place = document.getElementById("loading");
        if (!place) return; // the page is there
        place.className = "bar-text problem";
        place.textContent = chinese ? chineseText : english;
    };
    let told = false;
    globalThis.cannotStart = reason => {
        if (told) return;
        told = true;
        const show = () => {
            if (location.protocol === "file:") {
                say("This page cannot be opened as a file. Serve its folder: `playground-cli serve --site FOLDER`, or `python3 -m http.server` in it.",
                    "不能以文件方式打开此页面。请用网站方式提供其文件夹：playground-cli serve --site 文件夹，或在其中运行 python3 -m http.server。");
            } else if (typeof WebAssembly !== "object") {
                say("This browser has no WebAssembly, or it is switched off. Try a current Chrome, Edge, Firefox or Safari.",
                    "此浏览器没有 WebAssembly，或已被关闭。请使用新版 Chrome、Edge、Firefox 或 Safari。");
            } else {
                say(`The page could not start (${reason}). Reload it; if that does not help, a file is missing or blocked on its server.`,
                    `页面无法启动（${reason}）。请重新加载；若仍然不行，可能是服务器上的文件缺失或被拦截。`);
            }
        };
        document.readyState === "loading" ? addEventListener("DOMContentLoaded", show) : show();
    };
    // Scripts that do not load tell it only while the event goes down.
    addEventListener("error", ({ target, message }) => {
        if (target && target.tagName === "SCRIPT") cannotStart(target.src.split("/").pop());
        else if (message && document.getElementById("loading")) cannotStart(message);
    }, true);
    if (location.protocol === "file:" || typeof WebAssembly !== "object") cannotStart("");
})();
