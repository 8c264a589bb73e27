//! Digits and initial weights are the same on every machine and in wasm: pinned as hashes, computed natively and in wasm.

use std::process::Command;

use cargo_metadata::MetadataCommand;
use expect_test::expect;
use wasmi::{Engine, Instance, Linker, Module, Store, WasmParams};

/// Compiles the crate `pins` for wasm32, as a browser's worker would get it.
fn compile_to_wasm() -> Vec<u8> {
    let arguments = ["build", "--release", "--package", "pins", "--target", "wasm32-unknown-unknown"];
    let status = Command::new(env!("CARGO")).args(arguments).status().expect("cargo runs");
    assert!(status.success(), "pins does not compile for wasm32; `cargo xtask setup` installs the target");
    let target = MetadataCommand::new().no_deps().exec().expect("cargo describes this workspace").target_directory;
    std::fs::read(target.join("wasm32-unknown-unknown/release/pins.wasm")).expect("cargo has just written it")
}

struct Wasm {
    store: Store<()>,
    instance: Instance,
}

impl Wasm {
    fn new(bytes: &[u8]) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, bytes).expect("cargo writes valid modules");
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine)
            .instantiate_and_start(&mut store, &module)
            .expect("data and models import nothing from their host");
        Self { store, instance }
    }

    fn call(&mut self, name: &str, arguments: impl WasmParams) -> u64 {
        let function = self.instance.get_typed_func(&self.store, name).expect("pins exports it");
        function.call(&mut self.store, arguments).expect("it does not panic")
    }
}

#[test]
fn digits_and_initial_weights_are_the_same_everywhere() {
    let presets = || (0..).zip(protocol::presets());
    let native: String = presets().map(|(i, (name, _))| format!("{name} {:016x}\n", pins::pin_preset(i))).collect();
    let native = format!("digits {:016x}\n{native}", pins::pin_digits());
    expect![[r#"
        digits 6dfb82cfe3705c21
        softmax 6a0d6304f3722e93
        mlp 7e9a3a766c0ef13f
        mlp-300 f0a2b4bd0266cfa3
        mlp-wide 2fe3670bac331847
        lenet5 300a9fa9f176743d
        cnn ef19e8f03ad3e8c0
        cnn-bn 1b17697410a6022f
        mnist-99 699a30e4af89b323
        resnet-mini 0c7e4b8aeb97b9c5
        nolearn-dbn 82bf67cd466fdf26
    "#]]
    .assert_eq(&native);

    let mut wasm = Wasm::new(&compile_to_wasm());
    let digits = format!("digits {:016x}\n", wasm.call("pin_digits", ()));
    let weights: String =
        presets().map(|(i, (name, _))| format!("{name} {:016x}\n", wasm.call("pin_preset", (i,)))).collect();
    assert_eq!(digits + &weights, native);
}
