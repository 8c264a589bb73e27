//! Convolutions of few but large images, whose work is divided beyond images, against the reference in f64. The case table
//! that all engines share has only small ones.

use cpu::Cpu;
use engine::Engine;
use graph::{Conv, HostTensor, Recorder, Values, gradients, reference};

fn values(seed: usize, shape: &[usize]) -> HostTensor {
    let number = |i: usize| ((i + 1) * (seed + 7) * 7919 % 10_007) as f32 / 5003.5 - 1.0;
    HostTensor::f32(shape, (0..shape.iter().product()).map(number).collect())
}

async fn check(x: [usize; 4], w: [usize; 4], conv: Conv) -> Result<(), Box<dyn std::error::Error>> {
    let r = Recorder::new();
    let (images, filters, bias) = (r.state("x", x), r.state("w", w), r.state("b", [1, w[0], 1, 1]));
    let plain = images.conv2d(&filters, conv)?; // [images, filters, height, width]
    let y = plain.add(&bias)?.relu()?;
    let gradients = gradients(&y.square()?.sum_all()?, &[&images, &filters, &bias])?;
    let outputs = [("y", &y), ("dx", &gradients[0]), ("dw", &gradients[1]), ("db", &gradients[2])];
    let graph = r.finish(&outputs, &[])?;
    let state = Values::from([
        ("x".into(), values(1, &x)),
        ("w".into(), values(2, &w)),
        ("b".into(), values(3, &[1, w[0], 1, 1])),
    ]);
    let want = reference::evaluate(&graph, &Values::new(), &mut reference::state_from::<f64>(&state))?;
    let mut first = None;
    for threads in [1, 2, 3] {
        let mut engine = Cpu::open(Some(threads))?;
        let program = engine.load(&graph).await?;
        engine.write_state(&state).await?;
        let got = engine.run(program, &[Values::new()]).await?.outputs.remove(0);
        for (name, want) in &want {
            let got = got[name].as_f32().ok_or("f32")?;
            assert_eq!(got.len(), want.len(), "{name}");
            let largest = want.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
            for (i, (got, want)) in got.iter().zip(want).enumerate() {
                let off = (f64::from(*got) - want).abs();
                assert!(off <= 1e-5 * largest, "{x:?} {w:?} {name}[{i}]: {off} off"); // false for NaN
            }
        }
        assert!(first.get_or_insert_with(|| got.clone()) == &got, "{x:?} on {threads} threads");
    }
    Ok(())
}

#[test]
fn few_large_images() {
    let conv = |stride, padding| Conv { stride, padding };
    for (x, w, conv) in [
        ([1, 8, 40, 40], [16, 8, 3, 3], conv(1, 1)),
        ([2, 9, 33, 35], [13, 9, 5, 5], conv(1, 2)),
        ([1, 3, 61, 64], [33, 3, 3, 3], conv(2, 0)),
    ] {
        pollster::block_on(check(x, w, conv)).expect("it runs");
    }
}
