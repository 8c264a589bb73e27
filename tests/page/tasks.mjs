/// Milliseconds of the longest task of the page's own thread, during something and the second after it. Those that it
/// computed: a busy machine makes tasks wait, whatever is in them.
export async function longestTask(page, during) {
    await page.tracing.start({ categories: ["toplevel"] });
    await during();
    await new Promise(done => setTimeout(done, 1000)); // what follows from it
    const { traceEvents } = JSON.parse(new TextDecoder().decode(await page.tracing.stop()));
    const thread = ({ pid, tid }) => `${pid} ${tid}`;
    const main = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(thread);
    return Math.max(...traceEvents.filter(event => main.includes(thread(event))).map(({ tdur }) => (tdur ?? 0) / 1000));
}
