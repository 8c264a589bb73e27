"""PyTorch's training steps per second on W1 to W3: torch_peer.py cpu|cuda BATCH eager|compiled|graph SECONDS W1 [W2 W3]

One JSON line for each workload that is named, or for each line of stdin that names one where `-` is given. `compiled` is
torch.compile of forward and backward; `graph` replays a whole step as a CUDA graph. The networks and optimizers are those
of `playground-cli bench`; images are noise, since time does not depend on them.
"""

import collections
import functools
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

device, batch, mode, duration = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
# Floats of 32 bits, as ours has them: convolutions would be TF32 by default.
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
# As ours: so many seconds are handed over at a time, at most so many steps, and the oldest of three hand-overs is awaited.
PIECE, PIECE_STEPS, IN_FLIGHT = 0.05, 256, 3


def dense(*sizes):
    pairs = list(zip(sizes, sizes[1:]))
    layers = [layer for i, o in pairs for layer in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def convolutions():
    def block(i, o):
        return nn.Conv2d(i, o, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)

    return nn.Sequential(*block(1, 8), *block(8, 16), nn.Flatten(), nn.Linear(784, 10))


WORKLOADS = {
    "W1": (lambda: dense(784, 128, 10), lambda p: torch.optim.SGD(p, lr=0.05)),
    "W2": (lambda: dense(784, 800, 800, 10), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True)),
    # On a GPU the optimizer's step counter must be there too, or no graph can hold it.
    "W3": (convolutions, lambda p: torch.optim.Adam(p, lr=1e-3, capturable=device == "cuda")),
}


def synchronize():
    if device == "cuda":
        torch.cuda.synchronize()


def captured(step):
    """The step as a CUDA graph, after the warm-up on another stream that PyTorch's documentation asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def replay():
        graph.replay()
        return loss

    return replay


@functools.cache
def prepared(workload):
    """The step of a workload, after its first ones, and their seconds and loss."""
    torch.manual_seed(0)
    network, optimizer = WORKLOADS[workload]
    network = network().to(device)
    optimizer = optimizer(network.parameters())
    images = torch.rand(batch, 1, 28, 28, device=device)
    labels = torch.arange(batch, device=device) % 10

    def loss_of(images, labels):
        return F.cross_entropy(network(images), labels)

    forward = torch.compile(loss_of) if mode == "compiled" else loss_of

    def step():
        optimizer.zero_grad(set_to_none=mode != "graph")
        loss = forward(images, labels)
        loss.backward()
        optimizer.step()
        return loss

    begin = time.perf_counter()
    run = captured(step) if mode == "graph" else step
    first_loss = run().item()
    first_step = time.perf_counter() - begin
    run()
    synchronize()
    begin = time.perf_counter()
    for _ in range(20):
        run()
    synchronize()
    piece = min(max(int(PIECE * 20 / (time.perf_counter() - begin)), 1), PIECE_STEPS)
    return run, piece, first_step, first_loss


def mark():
    """What tells when all steps so far are done; on a CPU they are."""
    if device != "cuda":
        return None
    event = torch.cuda.Event()
    event.record()
    return event


for workload in map(str.strip, sys.stdin) if sys.argv[5:] == ["-"] else sys.argv[5:]:
    run, piece, first_step, first_loss = prepared(workload)
    begin, steps, marks = time.perf_counter(), 0, collections.deque()
    while time.perf_counter() - begin < duration:
        for _ in range(piece):
            loss = run()
        steps += piece
        marks.append(mark())
        if len(marks) == IN_FLIGHT and (oldest := marks.popleft()):
            oldest.synchronize()
    synchronize()
    seconds = time.perf_counter() - begin
    print(
        json.dumps(
            {
                "version": torch.__version__,
                "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
                "workload": workload,
                "steps_per_s": steps / seconds,
                "first_step_s": first_step,
                "loss": [first_loss, loss.item()],
            }
        ),
        flush=True,
    )
