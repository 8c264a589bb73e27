"""JAX's training steps per second on W1 to W3, on what JAX finds: jax_peer.py BATCH SECONDS W1 [W2 W3]

One JSON line for each workload that is named, or for each line of stdin that names one where `-` is given. A whole step is
one compiled program whose state is donated, which is JAX's own advice. The networks and optimizers are those of
`playground-cli bench`; images are noise, since time does not depend on them.
"""

import collections
import functools
import json
import sys
import time

import jax
from jax import lax
from jax import numpy as jnp

batch, duration = int(sys.argv[1]), float(sys.argv[2])
# Floats of 32 bits, as ours has them: on NVIDIA's GPUs products would be TF32 by default.
jax.config.update("jax_default_matmul_precision", "highest")
# As ours: so many seconds are handed over at a time, at most so many steps, and the oldest of three hand-overs is awaited.
PIECE, PIECE_STEPS, IN_FLIGHT = 0.05, 256, 3


def uniform(key, shape, fan_in):
    bound = fan_in**-0.5
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


def dense(*sizes):
    """Weights and biases, and the network of them: ReLU between layers."""
    keys = jax.random.split(jax.random.PRNGKey(0), len(sizes))
    weights = [
        (uniform(key, (i, o), i), jnp.zeros(o)) for key, i, o in zip(keys, sizes[:-1], sizes[1:])
    ]

    def network(weights, images):
        x = images.reshape(batch, -1)  # [batch, 784]
        for w, b in weights[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = weights[-1]
        return x @ w + b

    return weights, network


def convolutions():
    keys = jax.random.split(jax.random.PRNGKey(0), 3)
    shapes = [(8, 1, 5, 5), (16, 8, 5, 5)]
    weights = [
        (uniform(key, s, s[1] * 25), jnp.zeros(s[0])) for key, s in zip(keys, shapes)
    ]
    weights.append((uniform(keys[2], (784, 10), 784), jnp.zeros(10)))

    def network(weights, x):  # [batch, 1, 28, 28]
        for w, b in weights[:2]:
            x = jax.nn.relu(lax.conv(x, w, (1, 1), "SAME") + b[None, :, None, None])
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        w, b = weights[2]
        return x.reshape(batch, -1) @ w + b

    return weights, network


def sgd(weights, gradients, state):
    return jax.tree.map(lambda w, g: w - 0.05 * g, weights, gradients), state


def nesterov(weights, gradients, moments):
    moments = jax.tree.map(lambda m, g: 0.9 * m + g, moments, gradients)
    step = lambda w, m, g: w - 0.05 * (g + 0.9 * m)
    return jax.tree.map(step, weights, moments, gradients), moments


def adam(weights, gradients, state):
    count, first, second = state
    count += 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    mean, spread = 1 - 0.9**count, 1 - 0.999**count
    step = lambda w, m, v: w - 1e-3 * (m / mean) / (jnp.sqrt(v / spread) + 1e-8)
    return jax.tree.map(step, weights, first, second), (count, first, second)


def zeros(weights):
    return jax.tree.map(jnp.zeros_like, weights)


WORKLOADS = {
    "W1": (lambda: dense(784, 128, 10), sgd, lambda weights: ()),
    "W2": (lambda: dense(784, 800, 800, 10), nesterov, zeros),
    "W3": (convolutions, adam, lambda weights: (jnp.zeros(()), zeros(weights), zeros(weights))),
}


class Prepared:
    """A workload after its first steps."""

    def __init__(self, workload):
        network, update, state = WORKLOADS[workload]
        self.weights, network = network()
        self.state = state(self.weights)
        images = jax.random.uniform(jax.random.PRNGKey(1), (batch, 1, 28, 28))
        labels = jnp.arange(batch) % 10

        def loss_of(weights):
            scores = jax.nn.log_softmax(network(weights, images))
            return -jnp.mean(jnp.take_along_axis(scores, labels[:, None], 1))

        @functools.partial(jax.jit, donate_argnums=(0, 1))
        def step(weights, state):
            loss, gradients = jax.value_and_grad(loss_of)(weights)
            return *update(weights, gradients, state), loss

        self.compiled = step
        begin = time.perf_counter()
        self.first_loss = float(self.step())
        self.first_step = time.perf_counter() - begin
        self.step().block_until_ready()
        begin = time.perf_counter()
        for _ in range(20):
            loss = self.step()
        loss.block_until_ready()
        self.piece = min(max(int(PIECE * 20 / (time.perf_counter() - begin)), 1), PIECE_STEPS)

    def step(self):
        self.weights, self.state, loss = self.compiled(self.weights, self.state)
        return loss


prepared = functools.cache(Prepared)
for workload in map(str.strip, sys.stdin) if sys.argv[3:] == ["-"] else sys.argv[3:]:
    ready = prepared(workload)
    begin, steps, losses = time.perf_counter(), 0, collections.deque()
    while time.perf_counter() - begin < duration:
        for _ in range(ready.piece):
            loss = ready.step()
        steps += ready.piece
        losses.append(loss)
        if len(losses) == IN_FLIGHT:
            losses.popleft().block_until_ready()
    loss.block_until_ready()
    seconds = time.perf_counter() - begin
    print(
        json.dumps(
            {
                "version": jax.__version__,
                "device": jax.devices()[0].device_kind,
                "workload": workload,
                "steps_per_s": steps / seconds,
                "first_step_s": ready.first_step,
                "loss": [ready.first_loss, float(loss)],
            }
        ),
        flush=True,
    )
