//! An own device: a program that draws or computes with wgpu lets a network train on the device that it has opened, and
//! goes on to use it itself.
//!
//! ```sh
//! cargo run --release -p examples --example own_device
//! ```

use anyhow::{Context, Result};
use engine::Engine;
use gpu::{
    Gpu,
    wgpu::{self, util::DeviceExt as _},
};
use graph::{Graph, GraphError, HostTensor, Recorder, Values};

/// One step of w ← w − 0.1 · dΣw² / dw, which halves w in about three steps.
fn step() -> Result<Graph, GraphError> {
    let r = Recorder::new();
    let w = r.state("w", [4]);
    let loss = w.square()?.sum_all()?; // []
    let gradient = graph::gradients(&loss, &[&w])?.remove(0); // [4]
    r.finish(&[("loss", &loss)], &[("w".into(), w.sub(&gradient.scale(0.1)?)?)])
}

/// A device as any program opens one: without features, with the limits that WebGPU promises.
async fn open() -> Result<(wgpu::Device, wgpu::Queue)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await.context("no adapter")?;
    Ok(adapter.request_device(&wgpu::DeviceDescriptor::default()).await?)
}

/// The loss of each step.
async fn train(device: &wgpu::Device, queue: &wgpu::Queue, steps: usize) -> Result<Vec<f32>> {
    let mut engine = Gpu::from_device(device.clone(), queue.clone())?;
    let program = engine.load(&step()?).await?;
    engine.write_state(&Values::from([("w".into(), HostTensor::f32([4], vec![1.0, -2.0, 3.0, -4.0]))])).await?;
    let ran = engine.run(program, &vec![Values::new(); steps]).await?;
    Ok(ran.outputs.iter().filter_map(|step| Some(step["loss"].as_f32()?[0])).collect())
}

/// What the program itself does with its device.
fn own_work(device: &wgpu::Device, queue: &wgpu::Queue) -> Result<Vec<u8>> {
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let descriptor = wgpu::util::BufferInitDescriptor { label: Some("own"), contents: &[1, 2, 3, 4], usage };
    let buffer = device.create_buffer_init(&descriptor);
    queue.submit([]);
    buffer.map_async(wgpu::MapMode::Read, .., |_| ());
    device.poll(wgpu::PollType::wait_indefinitely())?;
    Ok(buffer.get_mapped_range(..)?.to_vec())
}

fn main() -> Result<()> {
    let (device, queue) = pollster::block_on(open())?;
    let losses = pollster::block_on(train(&device, &queue, 10))?;
    losses.iter().enumerate().for_each(|(i, loss)| println!("step {i}: loss {loss:.3}"));
    println!("and {} bytes of the program's own", own_work(&device, &queue)?.len());
    Ok(())
}
