//! Products and convolutions as kernels of the family `shaders::product`: what their operands look like there.

use std::fmt::Write;

use compiler::{BufferId, Contraction, ContractionKind};
use graph::Conv;

use crate::wgsl::Writer;

/// A contraction as a product Y[m, n] = Σₖ A[m, k] · B[k, n].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) struct Sizes {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
}

/// Channels, height and width of images, height and width of a kernel, height and width of the output.
struct Geometry {
    channels: usize,
    filters: usize,
    input: [usize; 2],
    kernel: [usize; 2],
    output: [usize; 2],
    conv: Conv,
}

/// What a contraction is called where a variant is chosen for it: `matmul_nt 64×800×784`.
pub(crate) fn name(step: &Contraction) -> String {
    let kind = match step.kind {
        ContractionKind::MatMul { transpose: [a, b] } => {
            format!("matmul_{}{}", if a { 't' } else { 'n' }, if b { 't' } else { 'n' })
        }
        ContractionKind::Conv2d(_) => "conv2d".into(),
        ContractionKind::Conv2dInputGrad(_) => "conv2d_input_grad".into(),
        ContractionKind::Conv2dWeightGrad(_) => "conv2d_weight_grad".into(),
    };
    let Sizes { m, n, k } = Sizes::of(step);
    format!("{kind} {m}×{n}×{k}")
}

impl Sizes {
    pub(crate) fn of(step: &Contraction) -> Self {
        let [a, b] = [0, 1].map(|i| &step.operands[i].shape.0);
        let space = &step.body.space.0;
        let plane = |axes: &[usize]| axes[0] * axes[2] * axes[3];
        match step.kind {
            ContractionKind::MatMul { transpose } => {
                Sizes { m: space[0], n: space[1], k: a[usize::from(!transpose[0])] }
            }
            ContractionKind::Conv2d(_) => Sizes { m: b[0], n: plane(space), k: b[1..].iter().product() },
            ContractionKind::Conv2dInputGrad(_) => Sizes { m: b[1], n: plane(space), k: b[0] * b[2] * b[3] },
            ContractionKind::Conv2dWeightGrad(_) => Sizes { m: space[0], n: space[1..].iter().product(), k: plane(b) },
        }
    }

    pub(crate) fn flops(self) -> u64 {
        2 * (self.m * self.n * self.k) as u64
    }
}

fn geometry(step: &Contraction) -> Option<Geometry> {
    let [a, b] = [0, 1].map(|i| &step.operands[i].shape.0);
    let space = &step.body.space.0;
    let (x, w, y, conv) = match step.kind {
        ContractionKind::MatMul { .. } => return None,
        ContractionKind::Conv2d(conv) => (a, b, space, conv),
        ContractionKind::Conv2dInputGrad(conv) => (space, b, a, conv),
        ContractionKind::Conv2dWeightGrad(conv) => (a, space, b, conv),
    };
    let plane = |axes: &[usize]| [axes[2], axes[3]];
    let (input, kernel, output) = (plane(x), plane(w), plane(y));
    Some(Geometry { channels: w[1], filters: w[0], input, kernel, output, conv })
}

/// Writes `load_a` and `load_b`, and returns the expression for the number of the element (m, n) of the result.
pub(crate) fn operands(writer: &mut Writer, step: &Contraction) -> String {
    let [a, b] = [0, 1].map(|i| step.operands[i].buffer);
    let sizes = Sizes::of(step);
    match (&step.kind, geometry(step)) {
        (ContractionKind::MatMul { transpose }, _) => {
            matrix_a(writer, a, sizes, transpose[0]);
            matrix_b(writer, b, sizes, transpose[1]);
            format!("m * {}u + n", sizes.n)
        }
        (ContractionKind::Conv2d(_), Some(g)) => {
            matrix_a(writer, b, sizes, false);
            patches(writer, a, sizes, &g);
            let plane = g.output[0] * g.output[1];
            format!("(n / {plane}u * {}u + m) * {plane}u + n % {plane}u", g.filters)
        }
        (ContractionKind::Conv2dWeightGrad(_), Some(g)) => {
            channels(writer, b, sizes, &g);
            taps(writer, a, sizes, &g);
            format!("m * {}u + n", sizes.n)
        }
        (ContractionKind::Conv2dInputGrad(_), Some(g)) => {
            transposed(writer, b, sizes, &g);
            spread(writer, a, sizes, &g);
            let plane = g.input[0] * g.input[1];
            format!("(n / {plane}u * {}u + m) * {plane}u + n % {plane}u", g.channels)
        }
        (_, None) => unreachable!("convolutions have a geometry"),
    }
}

/// `line_X(line, at)`: four neighbours of a stored line of `length` elements.
fn line(writer: &mut Writer, name: char, buffer: BufferId, length: usize, zero_past: bool) {
    let text = if writer.is_vectorizable(buffer, length) {
        let value = writer.load_vec4(buffer, &format!("line * {length}u + at"));
        format!("    return {value};\n")
    } else {
        let last = length - 1;
        let mut text = format!("    let start = line * {length}u;\n    return vec4<f32>(\n");
        for i in 0..4 {
            let at = if i == 0 { "at".to_owned() } else { format!("at + {i}u") };
            let value = writer.load_float(buffer, &format!("start + min({at}, {last}u)"));
            let _ = match zero_past {
                true => writeln!(text, "        select(0.0, {value}, {at} < {length}u),"),
                false => writeln!(text, "        {value},"),
            };
        }
        text + "    );\n"
    };
    let _ = write!(writer.functions, "\nfn line_{name}(line: u32, at: u32) -> vec4<f32> {{\n{text}}}\n");
}

fn matrix_a(writer: &mut Writer, buffer: BufferId, Sizes { m, k, .. }: Sizes, is_transposed: bool) {
    // What is past the end of k must be zero, in A alone.
    let text = if is_transposed {
        line(writer, 'a', buffer, m, false);
        let _ = write!(
            writer.functions,
            "\nfn row_a(k: u32, m: u32) -> vec4<f32> {{\n    return select(vec4<f32>(), line_a(min(k, {}u), m), k < {k}u);\n}}\n",
            k.max(1) - 1
        );
        "transpose(mat4x4<f32>(row_a(k, m), row_a(k + 1u, m), row_a(k + 2u, m), row_a(k + 3u, m)))".to_owned()
    } else {
        line(writer, 'a', buffer, k.max(1), true);
        let last = m - 1;
        let column = |i: usize| format!("line_a(min(m + {i}u, {last}u), k)");
        format!("mat4x4<f32>({}, {}, {}, {})", column(0), column(1), column(2), column(3))
    };
    let _ = write!(writer.functions, "\nfn load_a(m: u32, k: u32) -> mat4x4<f32> {{\n    return {text};\n}}\n");
}

fn matrix_b(writer: &mut Writer, buffer: BufferId, Sizes { n, k, .. }: Sizes, is_transposed: bool) {
    let text = if is_transposed {
        line(writer, 'b', buffer, k.max(1), false);
        let column = |i: usize| format!("line_b(min(n + {i}u, {}u), k)", n - 1);
        format!("transpose(mat4x4<f32>({}, {}, {}, {}))", column(0), column(1), column(2), column(3))
    } else {
        line(writer, 'b', buffer, n, false);
        let column = |i: usize| format!("line_b(min(k + {i}u, {}u), n)", k.max(1) - 1);
        format!("mat4x4<f32>({}, {}, {}, {})", column(0), column(1), column(2), column(3))
    };
    let _ = write!(writer.functions, "\nfn load_b(k: u32, n: u32) -> mat4x4<f32> {{\n    return {text};\n}}\n");
}

/// Four elements of planes of `size`, zero outside of them. Coordinates wrap below zero, and then are outside too.
fn pixels(writer: &mut Writer, buffer: BufferId, [height, width]: [usize; 2]) {
    let at = ["at.x", "at.y", "at.z", "at.w"].map(|at| writer.load_float(buffer, at));
    let _ = write!(
        writer.functions,
        "\nfn pixels(plane: vec4<u32>, y: vec4<u32>, x: vec4<u32>) -> vec4<f32> {{\n    \
         let inside = (y < vec4<u32>({height}u)) & (x < vec4<u32>({width}u));\n    \
         let at = select(vec4<u32>(), plane + y * {width}u + x, inside);\n    \
         return select(vec4<f32>(), vec4<f32>({}), inside);\n}}\n",
        at.join(", ")
    );
}

/// The four k of a block, past the end the last one: what lies behind the images may be NaN, which times zero is not zero.
fn summands(Sizes { k, .. }: Sizes) -> [String; 4] {
    let at = |i: usize| if i == 0 { "k".to_owned() } else { format!("k + {i}u") };
    [0, 1, 2, 3].map(|i| if k.is_multiple_of(4) || i == 0 { at(i) } else { format!("min({}, {}u)", at(i), k - 1) })
}

/// `load_b` of a convolution: B[k, n] is the pixel under tap k = (channel, y, x) of the kernel at position n = (image, y, x)
/// of the output.
fn patches(writer: &mut Writer, x: BufferId, sizes: Sizes, g: &Geometry) {
    let [k0, k1, k2, k3] = summands(sizes);
    pixels(writer, x, g.input);
    let ([h, w], [kh, kw], [oh, ow]) = (g.input, g.kernel, g.output);
    let (image, plane, taps, positions) = (g.channels * h * w, h * w, kh * kw, oh * ow);
    let Conv { stride, padding } = g.conv;
    let _ = write!(
        writer.functions,
        "
fn under_tap(k: u32, image: vec4<u32>, y: vec4<u32>, x: vec4<u32>) -> vec4<f32> {{
    return pixels(image + k / {taps}u * {plane}u, y + k % {taps}u / {kw}u - {padding}u, x + k % {kw}u - {padding}u);
}}

fn load_b(k: u32, n: u32) -> mat4x4<f32> {{
    let p = vec4<u32>(n, n + 1u, n + 2u, n + 3u);
    let image = p / {positions}u * {image}u;
    let y = p % {positions}u / {ow}u * {stride}u;
    let x = p % {ow}u * {stride}u;
    return mat4x4<f32>(under_tap({k0}, image, y, x), under_tap({k1}, image, y, x), under_tap({k2}, image, y, x), under_tap({k3}, image, y, x));
}}
"
    );
}

/// `load_b` of a gradient by weights: B[k, n] is the pixel under tap n of the kernel at position k.
fn taps(writer: &mut Writer, x: BufferId, sizes: Sizes, g: &Geometry) {
    let [k0, k1, k2, k3] = summands(sizes);
    pixels(writer, x, g.input);
    let ([h, w], [kh, kw], [oh, ow]) = (g.input, g.kernel, g.output);
    let (image, plane, taps, positions) = (g.channels * h * w, h * w, kh * kw, oh * ow);
    let Conv { stride, padding } = g.conv;
    let _ = write!(
        writer.functions,
        "
fn taps(k: u32, channel: vec4<u32>, y: vec4<u32>, x: vec4<u32>) -> vec4<f32> {{
    return pixels(channel + k / {positions}u * {image}u, y + k % {positions}u / {ow}u * {stride}u, x + k % {ow}u * {stride}u);
}}

fn load_b(k: u32, n: u32) -> mat4x4<f32> {{
    let t = vec4<u32>(n, n + 1u, n + 2u, n + 3u);
    let channel = t / {taps}u * {plane}u;
    let y = t % {taps}u / {kw}u - {padding}u;
    let x = t % {kw}u - {padding}u;
    return mat4x4<f32>(taps({k0}, channel, y, x), taps({k1}, channel, y, x), taps({k2}, channel, y, x), taps({k3}, channel, y, x));
}}
"
    );
}

/// `load_a` of a gradient by weights: A[m, k] is the gradient of channel m at position k = (image, y, x).
fn channels(writer: &mut Writer, gradient: BufferId, sizes: Sizes, g: &Geometry) {
    let (plane, filters) = (g.output[0] * g.output[1], g.filters);
    let place = |k: &str| format!("({k} / {plane}u * {filters}u + m) * {plane}u + {k} % {plane}u");
    scattered_a(writer, gradient, sizes, plane, place);
}

/// `load_a` of a gradient by images: A[m, k] is the weight of channel m at tap k = (filter, y, x).
fn transposed(writer: &mut Writer, weights: BufferId, sizes: Sizes, g: &Geometry) {
    let (taps, channels) = (g.kernel[0] * g.kernel[1], g.channels);
    let place = |k: &str| format!("({k} / {taps}u * {channels}u + m) * {taps}u + {k} % {taps}u");
    scattered_a(writer, weights, sizes, taps, place);
}

/// `load_a` where A[m, k] is element `place(k)`, an expression over `m`, of a buffer in which runs of `run` neighbours
/// belong to neighbours in k.
fn scattered_a(
    writer: &mut Writer,
    buffer: BufferId,
    Sizes { m, k, .. }: Sizes,
    run: usize,
    place: impl Fn(&str) -> String,
) {
    let text = if writer.is_vectorizable(buffer, run) {
        let value = writer.load_vec4(buffer, &place("k"));
        format!("    return {value};\n")
    } else {
        let mut text = String::from("    return vec4<f32>(\n");
        for i in 0..4 {
            let value = writer.load_float(buffer, &place(&format!("min(k + {i}u, {}u)", k.max(1) - 1)));
            let _ = writeln!(text, "        select(0.0, {value}, k + {i}u < {k}u),");
        }
        text + "    );\n"
    };
    let column = |i: usize| format!("row_a(min(m + {i}u, {}u), k)", m - 1);
    let _ = write!(
        writer.functions,
        "\nfn row_a(m: u32, k: u32) -> vec4<f32> {{\n{text}}}\n\n\
         fn load_a(m: u32, k: u32) -> mat4x4<f32> {{\n    return mat4x4<f32>({}, {}, {}, {});\n}}\n",
        column(0),
        column(1),
        column(2),
        column(3)
    );
}

/// `load_b` of a gradient by images: B[k, n] is the gradient at the position of the output where tap k lies on pixel n.
fn spread(writer: &mut Writer, gradient: BufferId, sizes: Sizes, g: &Geometry) {
    let [k0, k1, k2, k3] = summands(sizes);
    pixels(writer, gradient, g.output);
    let ([h, w], [kh, kw], [oh, ow]) = (g.input, g.kernel, g.output);
    let (image, plane, taps, pixels) = (g.filters * oh * ow, oh * ow, kh * kw, h * w);
    let Conv { stride, padding } = g.conv;
    // With a stride, only every so many pixels lie under a tap: the others get a coordinate that is outside.
    let position = |at: &str| match stride {
        1 => at.to_owned(),
        stride => format!("select(vec4<u32>(0xffffffffu), {at} / {stride}u, {at} % {stride}u == vec4<u32>())"),
    };
    let (y, x) = (position("py"), position("px"));
    let _ = write!(
        writer.functions,
        "
fn spread(k: u32, image: vec4<u32>, y: vec4<u32>, x: vec4<u32>) -> vec4<f32> {{
    let py = y - k % {taps}u / {kw}u;
    let px = x - k % {kw}u;
    return pixels(image + k / {taps}u * {plane}u, {y}, {x});
}}

fn load_b(k: u32, n: u32) -> mat4x4<f32> {{
    let p = vec4<u32>(n, n + 1u, n + 2u, n + 3u);
    let image = p / {pixels}u * {image}u;
    let y = p % {pixels}u / {w}u + {padding}u;
    let x = p % {w}u + {padding}u;
    return mat4x4<f32>(spread({k0}, image, y, x), spread({k1}, image, y, x), spread({k2}, image, y, x), spread({k3}, image, y, x));
}}
"
    );
}
