"""The first losses of short trainings as PyTorch computes them, in float64.

Two commands write `losses.json` anew (the second needs torch, numpy and safetensors):

    cargo run --release -p tests --bin export_goldens -- target/goldens
    python tests/goldens/pytorch.py target/goldens > tests/goldens/losses.json

The first writes weights, batches, learning rates and configuration of each training; dropout rates are 0, since PyTorch
has other random numbers. The second builds the network from the configuration and trains it.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

WEIGHT_NAMES = {"conv2d": "conv", "batch_norm": "bn"}


class Layers(nn.Sequential):
    """Layers, named as their weights are: conv1, conv2, dense1."""

    def __init__(self, layers, x):
        super().__init__()
        numbers = Counter()
        for layer, following in zip(layers, layers[1:] + [None]):
            kind, options = (layer, {}) if isinstance(layer, str) else next(iter(layer.items()))
            numbers[kind] += 1
            module = build(kind, options, x, bias=following != "batch_norm")
            self.add_module(f"{WEIGHT_NAMES.get(kind, kind)}{numbers[kind]}", module)
            x = module(x)
        self.output = x  # an example of it


class Residual(Layers):
    def __init__(self, layers, x):
        super().__init__(layers, x)
        y = self.output
        self.names = [name for name, _ in self.named_children()]
        self.shortcut = nn.Identity()
        if x.shape != y.shape:
            stride = -(-x.shape[2] // y.shape[2])
            conv = nn.Conv2d(x.shape[1], y.shape[1], 1, stride, bias=False)
            self.shortcut = nn.Sequential()
            self.shortcut.add_module("conv1", conv)
            self.shortcut.add_module("bn1", nn.BatchNorm2d(y.shape[1]))

    def forward(self, x):
        y = x
        for name in self.names:
            y = self.get_submodule(name)(y)
        return y + self.shortcut(x)


def build(kind, options, x, bias):
    """The module of a layer for inputs like x."""
    match kind:
        case "dense":
            return nn.Linear(x.shape[1], options["units"], bias)
        case "conv2d":
            stride, padding = options.get("stride", 1), options.get("padding", 0)
            return nn.Conv2d(x.shape[1], options["filters"], options["kernel"], stride, padding, bias=bias)
        case "max_pool":
            return nn.MaxPool2d(options["size"], options.get("stride"))
        case "average_pool":
            return nn.AvgPool2d(options["size"], options.get("stride"))
        case "global_average_pool":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case "leaky_relu":
            return nn.LeakyReLU(options["slope"])
        case "dropout":
            return nn.Dropout(options["rate"])
        case "batch_norm":
            return (nn.BatchNorm1d if x.dim() == 2 else nn.BatchNorm2d)(x.shape[1])
        case "residual":
            return Residual(options["layers"], x)
        case "gelu":
            return nn.GELU(approximate="tanh")
        case _:
            return {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "flatten": nn.Flatten}[kind]()


def optimizer(config, parameters):
    rule, decay = config["rule"], config["weight_decay"]
    kind, options = (rule, {}) if isinstance(rule, str) else next(iter(rule.items()))
    match kind:
        case "adam" | "adam_w":
            betas, epsilon = (options["beta1"], options["beta2"]), options["epsilon"]
            adam = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
            return adam(parameters, betas=betas, eps=epsilon, weight_decay=decay)
        case "sgd" | "momentum" | "nesterov":
            momentum = options.get("momentum", 0)
            return torch.optim.SGD(parameters, 1, momentum, weight_decay=decay, nesterov=kind == "nesterov")


def loss_of(kind, output, labels):
    if kind == "mean_squared_error":
        return F.mse_loss(output, F.one_hot(labels, 10).to(output.dtype))
    return F.cross_entropy(output, labels)


def read(path):
    """Tensors and configuration; the configuration's numbers are f32, as the tensors are."""
    as_f32 = lambda text: float(numpy.float32(text))
    with safe_open(path, framework="pt") as file:
        config = json.loads(file.metadata()["playground"], parse_float=as_f32)["config"]
        return {name: file.get_tensor(name).double() for name in file.keys()}, config


def train(path):
    tensors, config = read(path)
    images, labels, rates = (tensors.pop(name) for name in ["images", "labels", "rates"])
    images, labels = images.unsqueeze(2) / 255, labels.long()  # [steps, batch, 1, height, width], [steps, batch]
    network = Layers(config["model"]["network"]["layers"], images[0])
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith("optimizer.")}
    missing, unexpected = network.load_state_dict(weights, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)

    rule = optimizer(config["optimizer"], network.parameters())
    clip_norm = config["optimizer"].get("clip_norm")
    losses, hits = [], []

    def step(x, y):
        output = network(x)
        loss = loss_of(config["loss"], output, y)
        losses.append(loss.item())
        hits.append((output.argmax(1) == y).sum().item())
        return loss

    for x, y, rate in zip(images, labels, rates):
        rule.param_groups[0]["lr"] = rate.item()
        rule.zero_grad()
        step(x, y).backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
        rule.step()
    network.eval()
    with torch.no_grad():
        step(images.flatten(0, 1), labels.flatten())
    return {"losses": losses, "hits": hits}


torch.set_default_dtype(torch.float64)
about = f"PyTorch {torch.__version__}, float64, dropout rates 0: ten training steps, then an evaluation"
cases = {path.stem: train(path) for path in sorted(Path(sys.argv[1]).glob("*.safetensors"))}
lines = [f"    {json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items()]
print(f'{{\n  "about": {json.dumps(about)},\n  "cases": {{\n' + ",\n".join(lines) + "\n  }\n}")
