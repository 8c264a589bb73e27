//! Slots whose new value is what a product, a convolution or the gradient of pooling gives, with nothing done to it; and
//! those that such a step reads and writes.

mod compare;

use graph::{Conv, GraphError, Pool, PoolKind, Recorder, Tensor};

/// Rounding of sums of some hundred terms.
const TOLERANCE: f64 = 1e-5;

/// Updates the first slots, of these shapes, to what `build` makes of all; the first new value may be an output too. Every
/// slot is read before: what nothing reads cannot be updated.
fn check(what: &str, shapes: &[&[usize]], build: impl Fn(&[Tensor]) -> Result<Vec<Tensor>, GraphError>) {
    for is_output in [false, true] {
        let record = || {
            let r = Recorder::new();
            let slots: Vec<Tensor> = shapes.iter().enumerate().map(|(i, &s)| r.state(&format!("s{i}"), s)).collect();
            let squares = slots.iter().map(|slot| slot.square()?.sum_all()).collect::<Result<Vec<_>, _>>()?;
            let names: Vec<String> = (0..shapes.len()).map(|i| format!("old{i}")).collect();
            let mut outputs: Vec<(&str, &Tensor)> = names.iter().map(String::as_str).zip(&squares).collect();
            let new = build(&slots)?;
            outputs.extend(is_output.then_some(("new", &new[0])));
            let updates: Vec<_> = new.iter().enumerate().map(|(i, new)| (format!("s{i}"), new.clone())).collect();
            r.finish(&outputs, &updates)
        };
        let graph = record().unwrap_or_else(|error| panic!("{what}: {error}"));
        compare::check(&format!("{what}, an output too: {is_output}"), &graph, TOLERANCE);
    }
}

/// Sizes at which products take another way: small, by lanes, by rows with packed lanes, in two halves, into a slot that is
/// updated by itself.
const PRODUCTS: [[usize; 3]; 7] =
    [[1, 1, 1], [2, 3, 5], [13, 31, 300], [300, 40, 17], [10, 300, 896], [3, 0, 2], [260, 9, 300]];
const TRANSPOSED: [[bool; 2]; 4] = [[false, false], [true, false], [false, true], [true, true]];

fn each_product(f: impl Fn(&str, [usize; 2], [usize; 2], [usize; 2], [bool; 2])) {
    for ([m, k, n], transpose) in PRODUCTS.into_iter().flat_map(|sizes| TRANSPOSED.map(|t| (sizes, t))) {
        let left = if transpose[0] { [k, m] } else { [m, k] };
        let right = if transpose[1] { [n, k] } else { [k, n] };
        f(&format!("{m}x{k}x{n} {transpose:?}"), [m, n], left, right, transpose);
    }
}

#[test]
fn a_product() {
    each_product(|what, out, left, right, t| {
        check(&format!("product {what}"), &[&out, &left, &right], |s| Ok(vec![s[1].matmul_transposed(t, &s[2])?]));
    });
}

#[test]
fn a_product_in_two_slots() {
    each_product(|what, out, left, right, t| {
        check(&format!("product in two slots {what}"), &[&out, &out, &left, &right], |s| {
            let product = s[2].matmul_transposed(t, &s[3])?;
            Ok(vec![product.clone(), product])
        });
    });
}

#[test]
fn a_product_and_what_is_made_of_it() {
    each_product(|what, out, left, right, t| {
        check(&format!("product and more {what}"), &[&out, &out, &left, &right], |s| {
            let product = s[2].matmul_transposed(t, &s[3])?;
            let moved = s[1].scale(0.5)?.add(&product)?;
            Ok(vec![product, moved])
        });
        check(&format!("more and product {what}"), &[&out, &out, &left, &right], |s| {
            let product = s[2].matmul_transposed(t, &s[3])?;
            Ok(vec![s[0].scale(0.5)?.sub(&product)?, product])
        });
    });
}

/// The old value is an operand, so that the new one must be made beside it.
#[test]
fn a_product_of_the_slot_itself() {
    for (rows, side) in [(2, 3), (40, 64), (7, 300), (300, 16)] {
        let (x, w): ([usize; 2], [usize; 2]) = ([rows, side], [side, side]);
        check(&format!("x·w {rows} {side}"), &[&x, &w], |s| Ok(vec![s[0].matmul(&s[1])?]));
        check(&format!("w·xᵀ {rows} {side}"), &[&[side, rows], &w], |s| Ok(vec![s[1].matmul(&s[0])?]));
    }
    check("x·x", &[&[9, 9]], |s| Ok(vec![s[0].matmul(&s[0])?.scale(0.1)?]));
    check("each by the other", &[&[2, 3], &[2, 3], &[3, 3]], |s| {
        Ok(vec![s[1].matmul(&s[2])?, s[0].matmul_transposed([false, true], &s[2])?])
    });
}

/// The sums of a bias's gradient come from the product that makes the weight's.
#[test]
fn a_weight_gradient_and_its_row_sums() {
    for [k, m, n] in [[3, 2, 5], [64, 17, 40], [128, 300, 80], [5, 4, 1]] {
        let shapes: [&[usize]; 4] = [&[m, n], &[m], &[k, m], &[k, n]];
        check(&format!("gradients {k}x{m}x{n}"), &shapes, |s| {
            Ok(vec![s[2].matmul_transposed([true, false], &s[3])?, s[2].sum(&[0])?.reshape([m])?])
        });
        check(&format!("summed gradients {k}x{m}x{n}"), &shapes, |s| {
            let weight = s[2].matmul_transposed([true, false], &s[3])?;
            Ok(vec![s[0].add(&weight)?, s[1].add(&s[2].sum(&[0])?.reshape([m])?)?])
        });
    }
}

const CONVS: [([usize; 4], [usize; 4], Conv); 5] = [
    ([1, 128, 3, 3], [64, 128, 3, 3], Conv { stride: 1, padding: 1 }),
    ([2, 3, 5, 7], [4, 3, 3, 3], Conv { stride: 1, padding: 1 }),
    ([20, 2, 8, 7], [3, 2, 3, 2], Conv { stride: 2, padding: 1 }),
    ([1, 8, 40, 40], [16, 8, 3, 3], Conv { stride: 1, padding: 1 }),
    ([2, 3, 4, 4], [7, 3, 1, 1], Conv { stride: 1, padding: 0 }),
];

#[test]
fn a_convolution_and_its_gradients() {
    for (x, w, conv) in CONVS {
        let y = [x[0], w[0], conv.output(x[2], w[2]).expect("it fits"), conv.output(x[3], w[3]).expect("it fits")];
        let three = |s: &[Tensor]| -> Result<Vec<Tensor>, GraphError> {
            let (x, w, g) = (&s[3], &s[4], &s[5]);
            let y = x.conv2d(w, conv)?;
            let d = graph::gradients(&y.mul(g)?.sum_all()?, &[x, w])?;
            Ok([vec![y], d].concat())
        };
        let shapes: [&[usize]; 6] = [&y, &x, &w, &x, &w, &y];
        check(&format!("convolution {x:?} {w:?}"), &shapes, three);
        check(&format!("convolution {x:?} {w:?}, added"), &shapes, |s| {
            three(s)?.iter().zip(s).map(|(new, slot)| slot.scale(0.5)?.add(new)).collect()
        });
        let sums: [&[usize]; 5] = [&w, &[w[0]], &x, &w, &y];
        check(&format!("convolution {x:?} {w:?}, with row sums"), &sums, |s| {
            let loss = s[2].conv2d(&s[3], conv)?.mul(&s[4])?.sum_all()?;
            let weight = graph::gradients(&loss, &[&s[3]])?.remove(0);
            Ok(vec![weight, s[4].sum(&[0, 2, 3])?.reshape([w[0]])?])
        });
    }
}

#[test]
fn a_gradient_of_pooling() {
    for (kind, size, stride) in [(PoolKind::Max, 2, 2), (PoolKind::Max, 3, 2), (PoolKind::Average, 3, 1)] {
        let pool = Pool { kind, size, stride };
        for x in [[2, 3, 5, 7], [4, 8, 30, 30]] {
            let g = [x[0], x[1], pool.output(x[2]).expect("it fits"), pool.output(x[3]).expect("it fits")];
            let shapes: [&[usize]; 3] = [&x, &x, &g];
            let what = format!("{kind:?} {size} {stride} {x:?}");
            check(&what, &shapes, |s| Ok(vec![s[1].pool2d_grad(&s[2], pool)?]));
            check(&format!("{what}, added"), &shapes, |s| Ok(vec![s[0].add(&s[1].pool2d_grad(&s[2], pool)?)?]));
            check(&format!("{what}, of the slot"), &[&x, &g], |s| Ok(vec![s[0].add(&s[0].pool2d_grad(&s[1], pool)?)?]));
        }
    }
}
