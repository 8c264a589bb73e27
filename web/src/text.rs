//! Everything that the page says, in each of its languages. A key that is missing in one of them does not compile.

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Language {
    English,
    Chinese,
}

impl Language {
    /// The first of the browser's languages that the page speaks, or else English.
    pub fn of(wanted: impl IntoIterator<Item = String>) -> Self {
        let known = |tag: String| match tag.split('-').next() {
            Some("en") => Some(Language::English),
            Some("zh") => Some(Language::Chinese),
            _ => None,
        };
        wanted.into_iter().find_map(known).unwrap_or(Language::English)
    }

    /// As HTML's `lang` has it.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-Hans",
        }
    }

    /// All that is said.
    pub fn texts(self) -> &'static Texts {
        match self {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }
}

macro_rules! texts {
    ($($key:ident: $english:literal, $chinese:literal;)*) => {
        /// What the page says in one language; `{}` stands for a value.
        #[allow(missing_docs)]
        pub struct Texts { pub speaks: Language, $(pub $key: &'static str,)* }
        static ENGLISH: Texts = Texts { speaks: Language::English, $($key: $english,)* };
        static CHINESE: Texts = Texts { speaks: Language::Chinese, $($key: $chinese,)* };
        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($key), $english, $chinese),)*];
    };
}

texts! {
    title: "Training playground", "训练乐园";
    tagline: "Watch a neural network learn. Nothing is installed, nothing leaves this browser.",
        "看神经网络如何学习：无需安装，数据不离开此浏览器。";
    skip: "Skip to what the network reads", "跳到网络的回答";
    language: "Language", "语言";
    theme: "Theme", "主题";
    theme_auto: "as the system", "跟随系统";
    theme_light: "light", "浅色";
    theme_dark: "dark", "深色";

    train: "Train", "开始训练";
    train_again: "Train again", "重新训练";
    pause: "Pause", "暂停";
    resume: "Resume", "继续";
    step: "Step", "单步";
    rewind: "Rewind", "倒回";
    stop: "Stop", "停止";
    why_not_field: "{}: “{}” cannot be used, {}", "{}：“{}”不可用，{}";
    controls: "Training", "训练";
    idle: "Ready. Press Train.", "就绪，请按“开始训练”。";
    looking: "Looking for devices …", "正在查找设备……";
    checking: "Checking the GPU …", "正在检查显卡……";
    preparing: "Preparing …", "正在准备……";
    work_download: "Downloading", "正在下载";
    work_data: "Preparing images …", "正在准备图像……";
    work_prepare: "Compiling the network …", "正在编译网络……";
    running: "Training: step {} of {}", "训练中：第 {} / {} 步";
    paused: "Paused at step {} of {}", "已暂停：第 {} / {} 步";
    done: "Done: {} of test images right", "完成：测试图像识别率 {}";
    done_steps: "after {} steps", "共 {} 步";
    stopped: "Stopped at step {}", "已停止：第 {} 步";
    failed: "Failed at step {}", "在第 {} 步失败";
    ended_early: "Ended early: {}", "提前结束：{}";
    recovered: "The device was lost and opened again ({}×); the run went on from its last evaluation: {}",
        "设备曾丢失并已重新打开（{} 次），训练从最近一次评估处继续：{}";
    spoken: "{}, accuracy {}", "{}，准确率 {}";
    epoch_of: "epoch {} of {}", "第 {} / {} 轮";
    left: "{} left", "剩余 {}";
    progress: "Progress", "进度";

    settings: "Settings", "设置";
    data: "Images", "图像";
    data_hint: "What the network learns from. The built-in digits are drawn by the page itself; MNIST is 70 000 handwritten digits, loaded from this site.",
        "网络的学习材料。内置数字由页面自行绘制；MNIST 是 7 万张手写数字，从本站加载。";
    data_digits: "digits, built in", "内置数字";
    data_mnist: "MNIST, from this site", "MNIST（本站）";
    data_auto: "MNIST where this site has it, else digits", "本站有 MNIST 则用之，否则用内置数字";
    digits: "Digits", "数字张数";
    digits_hint: "With more images an epoch has more steps, and the network sees more ways to write each digit.",
        "图像越多，每轮步数越多，网络见到的写法也越多。";
    preset: "Network", "网络";
    preset_hint: "A network to begin with, and how it is best trained. Its layers are listed below.",
        "选择一个网络及其合适的训练方式，各层见下方列表。";
    preset_own: "own layers", "自定义";
    about_softmax: "One layer: a template for each digit.", "单层：每个数字一个模板。";
    about_mlp: "One hidden layer of 128.", "一个 128 单元的隐藏层。";
    about_mlp_300: "One hidden layer of 300.", "一个 300 单元的隐藏层。";
    about_mlp_wide: "Two hidden layers of 800: twelve times the weights of mlp.", "两个 800 单元的隐藏层：权重数约为 mlp 的十二倍。";
    about_lenet5: "LeNet-5 with ReLU and max pooling.", "采用 ReLU 和最大池化的 LeNet-5。";
    about_cnn: "Two convolutions, one dense layer.", "两个卷积层和一个全连接层。";
    about_cnn_bn: "Three convolutions with batch norm.", "三个带批归一化的卷积层。";
    about_mnist_99: "99 % of MNIST in 704 steps (mean of ten seeds).", "704 步在 MNIST 上达到 99 %（十个种子的平均）。";
    about_resnet_mini: "Residual blocks: the most work of these presets.", "残差块：这些预设中计算量最大。";
    about_nolearn_dbn: "After a comparison of CPU and GPU from 2014: its network, data split and rate. Its pretraining, which made it a belief net, is left out, and its 200 warm-up steps are ours.",
        "仿照 2014 年的一次 CPU/GPU 对比：采用其网络、数据划分和学习率；未做使其成为信念网络的预训练，200 步预热是我们加的。";
    about_own: "Your own layers: see “Layers”.", "自定义的层，见“各层”。";
    engine: "Device", "设备";
    engine_hint: "Where the steps are computed. WebGPU uses your graphics card, CPU one core by WebAssembly. Both compute the same.",
        "在哪里计算。WebGPU 使用显卡，CPU 通过 WebAssembly 使用一个核心，两者计算结果相同。";
    engine_best: "the best here: {}", "此处最佳：{}";
    engine_software: "{} (software, slow)", "{}（软件模拟，较慢）";
    engine_missing: "{}: not available", "{}：不可用";
    optimizer: "Optimizer", "优化器";
    optimizer_hint: "How the weights follow the gradient. Adam adapts the step of each weight; momentum keeps a direction.",
        "权重如何沿梯度更新。Adam 为每个权重调整步长；动量法保持方向。";
    momentum: "Momentum", "动量";
    momentum_hint: "How much of the last direction is kept, from 0 to below 1. A change applies at once.", "保留多少上一步的方向，0 到 1 之间（不含 1）。更改立即生效。";
    rate: "Learning rate", "学习率";
    rate_hint: "The size of the steps. Too small: slow. Too large: the loss jumps or explodes. A change applies at once.",
        "步子的大小。太小则慢，太大则损失跳动甚至发散。更改立即生效。";
    schedule: "Schedule", "学习率曲线";
    schedule_hint: "How the learning rate changes over the run.", "学习率在训练中如何变化。";
    shape_constant: "constant", "恒定";
    shape_step: "halved each epoch", "每轮减半";
    shape_exponential: "× 0.9 each epoch", "每轮 × 0.9";
    shape_cosine: "cosine down to 0", "余弦降至 0";
    shape_one_cycle: "one cycle: up, then down", "单周期：先升后降";
    course: "{} steps: the rate begins at {}, is at most {} and ends at {}.", "共 {} 步：学习率从 {} 开始，最高 {}，最后为 {}。";
    course_constant: "{} steps, all at a rate of {}.", "共 {} 步，学习率恒为 {}。";
    course_unknown: "The course is shown once the images are loaded.", "加载图像后显示曲线。";
    warm_up: "Warm-up steps", "预热步数";
    warm_up_hint: "Over these steps the rate rises from 0.", "在这些步内学习率从 0 升起。";
    batch: "Batch", "批大小";
    batch_hint: "Images a step. A larger batch uses the device better, but an epoch then has fewer steps.",
        "每步的图像数。批越大设备利用率越高，但每轮的步数越少。";
    epochs: "Epochs", "轮数";
    epochs_hint: "How often the run goes through the training images. (Where images are drawn with replacement, some come more often than others.)",
        "训练图像被遍历的次数。（有放回抽样时，各图像出现的次数不同。）";
    steps_field: "Steps", "步数";
    steps_hint: "How many steps the run makes: each sees one batch.", "训练的步数：每步处理一批图像。";
    seed: "Seed", "随机种子";
    seed_hint: "Where all randomness begins: the same seed gives the same start and the same order of images; on the same device and with the same settings it gives the same run.",
        "一切随机的起点：种子相同，则初始权重和图像顺序相同；设备和设置也相同时，结果相同。";
    evaluate_every: "Steps between evaluations", "评估间隔（步）";
    evaluate_hint: "How often the network is tried on images that it does not learn from. Empty: once an epoch.",
        "多久用未学习过的图像检验一次。留空：每轮一次。";
    stop_when: "Stop early", "提前停止";
    stop_accuracy: "at a validation accuracy of (0–1)", "验证准确率达到（0–1）";
    stop_patience: "after evaluations without a better loss", "多少次评估没有改善";
    stop_seconds: "after seconds of training", "训练秒数";
    stop_hint: "Empty: not used.", "留空：不使用。";
    more: "More settings", "更多设置";
    pause_hidden: "Pause while the page is hidden", "页面隐藏时暂停";
    restart_needed: "Changed settings apply to the next run.", "更改将用于下一次训练。";
    restart: "Restart now", "立即重新开始";
    refused: "Not accepted: {}", "不被接受：{}";
    need_number: "a number is needed", "需要一个数字";
    copy_yourself: "Pages without https may not copy: take the link from the address bar", "没有 https 的页面不能复制：请从地址栏复制链接";
    help: "Help", "帮助";
    copy_link: "Copy link", "复制链接";
    copied: "Link copied", "链接已复制";
    reset: "Reset settings", "恢复默认";

    results: "Results", "结果";
    accuracy: "Accuracy", "准确率";
    loss: "Loss", "损失";
    training: "training", "训练";
    validation: "validation", "验证";
    test: "test", "测试";
    images_a_second: "Images/s", "图像/秒";
    step_time: "Time a step", "每步用时";
    gradient_norm: "Gradient norm", "梯度范数";
    current_rate: "Learning rate", "学习率";
    no_value: "–", "–";
    accuracy_hint: "Part of the images that the network recognises. It does not learn from the validation images, so their curve says how it does on new ones: as long as nobody chooses settings by it. For the last word there are the test images.",
        "网络识别正确的比例。网络不从验证图像学习，因此其曲线反映它对新图像的表现——前提是没有人根据它来挑选设置。最终以测试图像为准。";
    loss_hint: "How surprised the network is by the right answers: what training makes smaller. Pure guessing among ten digits gives 2.3.",
        "网络对正确答案的“意外程度”，训练的目标就是减小它。在十个数字中纯猜约为 2.3。";
    loss_promise: "The loss appears here, step by step.", "损失会逐步显示在这里。";
    accuracy_promise: "How much it gets right appears here: guessing among ten digits gives 10 %.",
        "识别正确的比例显示在这里：在十个数字中乱猜约为 10 %。";
    step_axis: "step", "步";
    chart_keys: "Arrow keys read off values.", "用方向键读取数值。";
    axis: "Axis", "坐标轴";
    linear: "linear", "线性";
    as_table: "Table", "表格";
    mark_rate: "rate {}", "学习率 {}";
    mark_momentum: "momentum {}", "动量 {}";
    mark_best: "best", "最佳";
    mark_stopped: "stopped", "已停止";
    mark_failed: "failed", "失败";
    logarithmic: "log", "对数";
    steps: "steps", "步";

    strip: "What the network reads", "网络的回答";
    strip_hint: "Digits that the network has never learned from. Below each: its answer.", "网络从未学过的数字，下方是它的回答。";
    strip_untrained: "Not trained yet: it guesses. Press Train and watch the guesses get better.",
        "尚未训练：它只是在猜。按“开始训练”，看回答如何变好。";
    what_next: "What now?", "接下来？";
    next_draw: "Draw a digit", "画一个数字";
    next_mistakes: "See its mistakes", "看看它的错误";
    next_change: "Change one thing", "改一处设置";
    next_compare: "Compare runs", "比较各次训练";
    strip_empty: "Answers appear when training starts.", "训练开始后显示回答。";
    strip_one: "{}, read as {}", "{}，识别为 {}";
    strip_right: "{} of {} right", "{} / {} 正确";

    sketch: "Draw a digit", "画一个数字";
    sketch_hint: "Draw with mouse, finger or pen: the ink is scaled and centred as the training digits were, and the network answers at once. What you draw stays here.",
        "用鼠标、手指或手写笔画：笔迹会像训练数字那样缩放并居中，网络立即回答。所画内容不会离开这里。";
    sketch_keys: "Arrows move the pen, space lowers or lifts it, Ctrl+Z takes the last stroke back, Delete clears.",
        "方向键移动画笔，空格落笔或抬笔，Ctrl+Z 撤销上一笔，Delete 清除。";
    sketch_board: "Drawing board", "画板";
    sketch_here: "Draw here", "在此绘制";
    sketch_clear: "Clear", "清除";
    sketch_undo: "Undo", "撤销";
    sketch_erase: "Eraser", "橡皮";
    sketch_sample: "Test digit", "测试数字";
    sketch_blank: "nothing drawn yet", "尚未绘制";
    doubt_small: "Too small for a digit: draw larger", "太小，不像数字：请画大一些";
    doubt_full: "Too much ink for a digit: undo or clear", "笔迹太多，不像数字：请撤销或清除";
    pen_down: "Pen down", "已落笔";
    pen_up: "Pen up", "已抬笔";
    nearest: "Neighbours", "近邻";
    nearest_hint: "The images to learn from that differ least from the drawing, by the sum over all pixels of the squared difference. To answer what most of them are is a classifier, too: k nearest neighbours, which has no weights to train and keeps all images instead. Click one to put it on the drawing board.",
        "学习材料中与所画图像差异最小的几张，差异为各像素差的平方和。取其中多数作为回答也是一种分类器：k 近邻法，它没有权重可训练，而是保留全部图像。点击可放到画板上。";
    nearest_vote: "{} of the {} nearest are a {}", "{} / {} 张最相近的图像是 {}";
    nearest_none: "They appear when you draw, once a run has begun.", "开始训练后，画图时显示。";
    to_board: "{}: put it on the drawing board", "{}：放到画板上";
    answers: "Answer", "回答";
    answer_none: "The network answers once it is there.", "网络就绪后会回答。";
    answer_is: "It reads {}", "识别为 {}";
    answer_score: "score {}", "得分 {}";

    mistakes: "Mistakes", "错误";
    mistakes_hint: "Among the first 512 test images, those whose right answer got the least: what they are → what the network says. Click one to put it on the drawing board.",
        "前 512 张测试图像中，正确答案得分最低的图像：真实数字 → 网络的回答。点击可放到画板上。";
    mistakes_empty: "They appear after the first epoch.", "第一轮结束后显示。";
    mistakes_one: "{} → {}, score {}: put it on the drawing board", "{} → {}，得分 {}：放到画板上";
    images: "Images", "图像";
    images_hint: "All images of the run. Training: what the network learns from. Validation: what its progress is judged by. Test: what it is tried on at the end. Click a bar to see only that digit, an image to put it on the drawing board.",
        "本次运行的全部图像。训练：网络的学习材料；验证：用来评判进展；测试：最后的检验。点击条形只看该数字，点击图像可放到画板上。";
    images_empty: "There is no run, whose images could be shown.", "尚无运行，因此没有图像可显示。";
    images_load: "Begin one that waits", "准备一次运行（先不训练）";
    images_classes: "Images of each digit", "各数字的图像数";
    images_none: "none", "无";
    images_place: "{} to {} of {}", "第 {} 到 {} 张，共 {} 张";
    images_back: "Back", "上一页";
    images_next: "Next", "下一页";
    confusion: "Matrix", "混淆矩阵";
    confusion_hint: "Confusion matrix. Rows: the digit that it is. Columns: the digit that the network said. Off the diagonal are mistakes.",
        "混淆矩阵。行是真实数字，列是网络的回答，对角线以外是错误。";
    confusion_of: "on {} images, {}.", "{}图像，共 {} 张。";
    confusion_worst: "Most frequent mistake: {} read as {}, {} times.", "最常见的错误：{} 被认作 {}，{} 次。";
    confusion_none: "No mistakes.", "没有错误。";
    confusion_empty: "Appears with the first evaluation.", "首次评估后显示。";
    actual: "is", "真实";
    classes_hint: "Precision: how many of the answers with this digit are right. Recall: how many of these digits are found. F1: their harmonic mean.",
        "精确率：回答为该数字的有多少正确。召回率：该数字有多少被找到。F1：二者的调和平均。";
    class: "digit", "数字";
    precision: "precision", "精确率";
    precision_hint: "Of the answers with a digit, the part that is right.", "回答为某数字的，其中正确的比例。";
    recall: "recall", "召回率";
    recall_hint: "Of the images of a digit, the part that is found.", "某数字的图像中，被找到的比例。";
    count: "images", "张数";

    timing: "Time", "用时";
    was_hidden: "Some steps were made while this tab was hidden, where browsers may slow them down.", "部分训练在标签页隐藏时进行，浏览器可能会降低其速度。";
    timing_hint: "Preparation happens once. Read-back is waiting for numbers from the device; questions are answers for the page, kept checkpoints and images. The parts add up to the time that passed.",
        "准备只发生一次；读回是等待设备返回数据；提问包括为页面作答、保存检查点和读取图像。各部分之和为实际经过的时间。";
    time_download: "download", "下载";
    time_data: "images", "图像";
    time_compile: "compile", "编译";
    time_upload: "upload", "上传";
    time_steps: "steps", "训练步";
    time_readback: "read-back", "读回";
    time_evaluation: "evaluation", "评估";
    time_aside: "questions", "提问";
    time_asleep: "asleep", "休眠";
    was_asleep: "The machine slept or was held up: that time is no part of the speed.", "机器曾休眠或停顿：这段时间不计入速度。";

    device: "Device", "设备";
    device_hint: "What this browser offers to train on, and why it does not offer more.", "此浏览器可用于训练的设备，以及为何没有更多。";
    check_agreement: "One training step, against the CPU", "与 CPU 对比一个训练步";
    check_right: "right: {} apart", "正确：相差 {}";
    check_wrong: "wrong: {} apart", "错误：相差 {}";
    check_dispatch: "A dispatch", "一次调度";
    check_short: "too short to be seen", "太短，无法测出";
    check_product: "Product of matrices, {} rows", "{} 阶矩阵乘积";
    device_used: "In use: {}", "正在使用：{}";
    software: "software: correct, but slow; its speed says nothing of a GPU", "软件模拟：结果正确但慢，其速度不代表显卡";
    facts: "Limits and features", "限制与特性";
    features: "features", "特性";
    missing: "not available", "不可用";
    missing_insecure: "This page came over an insecure connection, and browsers hide WebGPU from such pages. Open it over https, or from localhost.",
        "此页面通过不安全的连接打开，浏览器因此隐藏了 WebGPU。请用 https 或 localhost 打开。";
    missing_api: "This browser has no WebGPU. Try a current Chrome, Edge, Firefox or Safari; in Firefox on Linux it may need dom.webgpu.enabled in about:config.",
        "此浏览器没有 WebGPU。请使用新版 Chrome、Edge、Firefox 或 Safari；Linux 版 Firefox 可能需在 about:config 中打开 dom.webgpu.enabled。";
    missing_adapter: "The browser has WebGPU but offers no graphics adapter. Update the driver, switch on hardware acceleration in the browser's settings, and see chrome://gpu or about:support for its reason.",
        "浏览器有 WebGPU，但未提供显卡。请更新驱动、在浏览器设置中打开硬件加速，并在 chrome://gpu 或 about:support 中查看原因。";
    missing_refused: "There is an adapter, but it could not be opened: {}. Close other pages that use the GPU, restart the browser, or update the driver.",
        "找到了显卡，但无法打开：{}。请关闭其他使用显卡的页面、重启浏览器或更新驱动。";
    cpu_instead: "The CPU can train the same network. Which of the two is faster depends on the network: “Compare” measures it.",
        "CPU 可以训练同样的网络。哪一个更快取决于网络：可用“比较”测量。";

    network: "Layers", "各层";
    network_hint: "What each layer makes of one image, and how many numbers it learns, and how many operations one image takes.", "每一层的输出形状、它学习的参数个数，以及处理一张图像的运算量。";
    layer: "layer", "层";
    shape: "output", "输出";
    parameters: "parameters", "参数";
    flops: "FLOPs", "运算量";
    total: "total", "合计";
    edit: "Edit layers", "编辑各层";
    add_layer: "Add a layer …", "添加一层……";
    add_inside: "Add a layer inside {} …", "在 {} 内添加一层……";
    up: "Move up", "上移";
    down: "Move down", "下移";
    remove: "Remove", "删除";
    units: "units", "单元数";
    filters: "filters", "滤波器";
    kernel: "kernel", "卷积核";
    stride: "stride", "步幅";
    padding: "padding", "填充";
    size: "window", "窗口";
    slope: "slope", "斜率";
    part_dropped: "rate", "丢弃率";
    edit_json: "Edit as JSON", "以 JSON 编辑";
    edit_hint: "The whole run, as the command line reads it too.", "完整的运行配置，命令行工具也读取同样的格式。";
    apply: "Apply", "应用";

    files: "Files", "文件";
    files_hint: "A checkpoint holds the weights and all that is needed to go on. The command line reads and writes the same files.",
        "检查点保存权重和继续训练所需的一切，命令行工具读写同样的文件。";
    save: "Save checkpoint", "保存检查点";
    open: "Open a file", "打开文件";
    drop: "Drop a checkpoint (.safetensors), a configuration or saved runs (.json), a picture of a digit (.png, .jpg) or the four files of an image set (IDX) anywhere on this page.",
        "可将检查点（.safetensors）、配置或保存的训练记录（.json）、数字图片（.png、.jpg）或图像集的四个 IDX 文件拖放到页面任意处。";
    file_unknown: "`{}` is neither a checkpoint of this playground (.safetensors), a configuration or runs (.json), a picture, nor a file of an image set (IDX).",
        "“{}”既不是本站的检查点（.safetensors）、配置或训练记录（.json）、图片，也不是图像集文件（IDX）。";
    file_large: "`{}` is larger than {}.", "“{}”大于 {}。";
    file_damaged: "`{}` ends too early: it was not saved or sent whole. What trains here goes on.",
        "“{}”不完整：保存或传送时中断了。正在进行的训练不受影响。";
    file_no_picture: "`{}` shows no digit that the page could read.",
        "“{}”中没有可识别的数字。";
    listed: "{} run(s) listed under “Runs”.",
        "已将 {} 次训练列入“训练记录”。";
    listed_failed: "The run is listed under “Runs”. There it went wrong: {}",
        "该训练已列入“训练记录”。当时出了问题：{}";
    replaced: "The run before was ended and is listed under “Runs”.",
        "前一次训练已结束，并列入“训练记录”。";
    forgotten: "Taken off the list.",
        "已从列表中移除。";
    undo: "Undo",
        "撤销";
    left_behind: "A run of {} was left at step {} of {}.",
        "有一次 {} 的训练停在第 {} / {} 步。";
    go_on: "Go on",
        "继续";
    give_up: "Leave it",
        "不再继续";
    unavailable: "The device of this run cannot be used in this browser: “Device” says why. The CPU can train the same network.",
        "此浏览器无法使用这次训练所需的设备，原因见“设备”。CPU 可以训练同样的网络。";
    on_cpu: "Train on the CPU",
        "在 CPU 上训练";
    diverged: "It diverged: the loss began at {} and rose to {}. The steps were too large; try a learning rate of {}.",
        "训练发散了：损失从 {} 开始，升至 {}。步子太大，请试试学习率 {}。";
    one_answer: "It answers {} to nearly every image: it has learned nothing of use. Mostly the steps were too large; try a learning rate of {}.",
        "它对几乎所有图像都回答 {}：没有学到有用的东西。多半是步子太大，请试试学习率 {}。";
    train_calmer: "Train with {}",
        "以 {} 训练";
    was_complete: "This run is complete: raise its length to train on.",
        "这次训练已完成：增加长度即可继续。";
    files_ready: "Image set `{}`: {} training and {} test images.", "图像集“{}”：{} 张训练图像，{} 张测试图像。";

    runs: "Runs", "训练记录";
    acts: "What can be done with it", "操作";
    name: "Name", "名称";
    open_run: "Open", "打开";
    kept_week: "This browser forgets the list after a week without a visit: save it as a file.",
        "此浏览器在一周未访问后会清除列表：请保存为文件。";
    runs_hint: "Runs that have ended, with all in which they differ. What is ticked is drawn into the charts, in the colour beside its name.",
        "已结束的训练及其所有不同之处。勾选的会画入图中，颜色见名称旁。";
    runs_empty: "Runs are listed here when they end.", "训练结束后会列在这里。";
    compare: "CPU against WebGPU", "CPU 与 WebGPU 对比";
    compare_hint: "Trains the present settings on the CPU, then on WebGPU, from the same weights and on the same batches: the curves agree up to rounding.",
        "用当前设置先在 CPU、再在 WebGPU 上训练，初始权重与各批图像相同：曲线除舍入误差外一致。";
    compare_missing: "This needs WebGPU, which is not available here: see “Device”.", "需要 WebGPU，而此处不可用：参见“设备”。";
    run: "run", "训练";
    show: "show", "显示";
    time: "time", "用时";
    export_json: "Save as JSON", "保存为 JSON";
    export_csv: "Save as CSV", "保存为 CSV";
    kept_here: "The list, at most 50 runs, is kept in this browser. Files of it, and the events of a run on the command line (train --json), can be dropped on the page.",
        "列表（最多 50 次训练）保存在此浏览器中。可将其文件或命令行训练的事件（train --json）拖放到页面上。";
    not_kept: "This browser does not keep the list of runs ({}): it goes with this page. Save it as a file.", "此浏览器无法保存训练列表（{}），关闭页面后即消失。可将其保存为文件。";
    forget: "Clear the list", "清空列表";
    difference: "With the same settings, {} makes {} times as many images a second as {}; their losses differ by at most {}. That is one run each: where it matters, repeat both.",
        "设置相同：{} 的每秒图像数是对方的 {} 倍（对方：{}）；损失最多相差 {}。各只运行一次：若很重要，请各重复几次。";
    software_short: "software", "软件模拟";
    place_browser: "this browser", "此浏览器";
    place_file: "from a file", "来自文件";
    precision_of_numbers: "Precision", "数值精度";
    length: "Length", "长度";
    epoch: "epochs", "轮";

    worker_died: "The part of the page that trains has crashed: {}", "训练部分崩溃了：{}";
    worker_again: "It was started again and goes on from the last checkpoint.", "已重新启动，并从最近的检查点继续。";
    worker_fresh: "It was started again. Press Train.", "已重新启动，请按“开始训练”。";
    no_device: "Nothing in this browser can train: see “Device”.", "这个浏览器中没有可用于训练的设备，请见“设备”。";
    bad_link: "The link could not be read ({}); these are the default settings.", "无法读取链接（{}），已使用默认设置。";
    close: "Close", "关闭";
    part_loading: "Loading …", "正在加载……";
    part_missing: "This part of the page could not be loaded: the network is gone, or the page was replaced. Try again, or load the page anew.",
        "页面的这一部分无法加载：网络已断开，或页面已更新。请重试，或重新加载页面。";
    part_again: "Try again", "重试";
    cannot_start: "The part of the page that trains could not be loaded ({}). The network may be gone, or a new version of the page is there: reload it.",
        "页面的训练部分无法加载（{}）。可能网络中断，或页面已有新版本：请重新加载。";
    no_worker: "it is not there", "尚未加载";
    reload: "Reload", "重新加载";
    drop_here: "Drop it here", "拖放到这里";
    closer: "Look closer", "细看";
    shortcuts: "Keys", "快捷键";
    shortcuts_text: "T begins a run, P pauses and resumes, S makes one step, R rewinds, X stops. In charts arrow keys read off values; on the drawing board they move the pen.",
        "T 开始训练，P 暂停或继续，S 单步，R 倒回，X 停止。图中方向键读数，画板上方向键移动画笔。";
    shortcuts_on: "Single keys do what buttons do", "启用单键快捷键";

    tour: "Tour", "导览";
    tour_next: "Next", "下一步";
    tour_back: "Back", "上一步";
    tour_end: "Done", "完成";
    tour_place: "{} of {}", "{} / {}";
    tour_1: "One button trains a network", "一个按钮即可训练网络";
    tour_1_text: "Press Train. The network begins with random weights and guesses; after each small batch of images its weights move a little. The same button pauses it.",
        "按“开始训练”。网络从随机权重开始，只会乱猜；每看一小批图像，权重就移动一点。同一按钮可暂停。";
    tour_2: "Watch the curves", "看曲线";
    tour_2_text: "Usually the loss falls and the accuracy rises. The validation curve is measured on images that the network does not learn from.",
        "通常损失下降、准确率上升。验证曲线用网络没有学过的图像测得。";
    tour_3: "Draw a digit", "画一个数字";
    tour_3_text: "Draw while it learns: the bars show what the network thinks of it, and change with every step.",
        "边学边画：条形显示网络的判断，并随训练变化。";
    tour_4: "Change something", "改一改";
    tour_4_text: "Ten times the learning rate, another network, another device: what happens? A seed makes every run repeatable.",
        "学习率放大十倍、换一个网络、换一个设备，会怎样？种子让每次训练都可重复。";
    tour_5: "Keep it", "留下来";
    tour_5_text: "Save a checkpoint and go on later, here or on the command line. The link in the address bar holds all settings.",
        "保存检查点，以后在这里或命令行继续。地址栏中的链接包含全部设置。";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translations_have_the_same_places_for_values() {
        for (key, english, chinese) in ALL {
            assert_eq!(english.matches("{}").count(), chinese.matches("{}").count(), "{key}");
            assert!(!english.is_empty() && !chinese.is_empty(), "{key}");
        }
    }

    #[test]
    fn translations_are_translated() {
        let same = ALL.iter().filter(|(_, english, chinese)| english == chinese);
        assert_eq!(same.map(|(key, ..)| *key).collect::<Vec<_>>(), ["no_value"]);
    }

    #[test]
    fn the_browser_is_asked() {
        let of = |tags: &[&str]| Language::of(tags.iter().map(|tag| (*tag).to_owned()));
        assert_eq!(of(&["zh-CN", "en"]), Language::Chinese);
        assert_eq!(of(&["de", "en-GB", "zh"]), Language::English);
        assert_eq!(of(&[]), Language::English);
    }
}
