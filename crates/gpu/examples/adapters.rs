//! All that wgpu says of this machine's adapters: `cargo run --release -p playground-gpu --example adapters`.

use gpu::wgpu;
use pollster::block_on;

fn main() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    for adapter in block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY)) {
        println!("{:#?}\n{:#?}", adapter.get_info(), adapter.limits());
        println!("features: {}", adapter.features());
        println!("cooperative matrices: {:#?}", adapter.cooperative_matrix_properties());
    }
}
