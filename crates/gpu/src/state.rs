//! State slots on the device: where each one lies, and their way to the host and back.

use std::collections::BTreeMap;

use compiler::{ALIGNMENT, Place, Plan, SMALL};
use engine::EngineError;
use graph::{DType, GraphError, HostTensor, Shape, Values};
use wgpu::BufferUsages;

use crate::{
    device::{Allocation, Opened},
    wgsl::{Location, Memory},
};

type Result<T> = std::result::Result<T, EngineError>;

const USAGE: BufferUsages = BufferUsages::STORAGE.union(BufferUsages::COPY_SRC).union(BufferUsages::COPY_DST);

/// A slot's place and the shape of what was written there.
#[derive(Clone, Debug)]
struct Slot {
    allocation: usize,
    offset: usize,
    /// Elements that there is room for.
    room: usize,
    /// `None` as long as nothing was written.
    shape: Option<Shape>,
}

/// A slot and its elements.
type Named = (String, usize);

/// How the slots of a plan should lie: those that must be side by side, and the others, of which small ones share an
/// allocation.
fn arrangement(plan: &Plan) -> (Vec<Vec<Named>>, Vec<Vec<Named>>) {
    let named = |id: usize| match &plan.buffers[id].place {
        Place::State(slot) => Some((slot.clone(), plan.buffers[id].shape.count())),
        _ => None,
    };
    let arenas: Vec<Vec<Named>> =
        plan.arenas.iter().map(|arena| arena.iter().filter_map(|&id| named(id)).collect()).collect();
    let mut rest: Vec<Named> = (0..plan.buffers.len()).filter_map(named).collect();
    rest.retain(|slot| !arenas.iter().flatten().any(|other| other == slot));
    rest.sort();
    rest.dedup();
    let (small, large): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(_, count)| *count <= SMALL);
    (arenas, std::iter::once(small).chain(large.into_iter().map(|slot| vec![slot])).collect())
}

/// Where the slots of a plan would lie on a device that has no others.
pub(crate) fn locations(plan: &Plan) -> BTreeMap<String, Location> {
    let (arenas, rest) = arrangement(plan);
    let mut locations = BTreeMap::new();
    for (allocation, slots) in arenas.into_iter().chain(rest).enumerate() {
        let mut offset = 0;
        for (slot, count) in slots {
            locations.insert(slot, Location { memory: Memory::State(allocation), offset });
            offset += count.next_multiple_of(ALIGNMENT);
        }
    }
    locations
}

/// All slots of a device.
#[derive(Default)]
pub(crate) struct State {
    slots: BTreeMap<String, Slot>,
    /// Allocations that no slot lies in any more are `None`.
    allocations: Vec<Option<Allocation>>,
    /// Grows whenever a slot moves: kernels know where slots are.
    pub(crate) version: usize,
}

impl State {
    /// Makes room for the slots of a plan. Those that its steps run over together are put side by side, with their values,
    /// if they are not.
    pub(crate) async fn place(&mut self, opened: &Opened, plan: &Plan) -> Result<()> {
        let (arenas, rest) = arrangement(plan);
        for arena in arenas {
            if !self.is_arena(&arena) {
                self.gather(opened, arena).await?;
            }
        }
        for mut slots in rest {
            slots.retain(|(slot, _)| !self.slots.contains_key(slot));
            if !slots.is_empty() {
                self.gather(opened, slots).await?;
            }
        }
        Ok(())
    }

    /// Whether slots lie one behind the other.
    fn is_arena(&self, slots: &[Named]) -> bool {
        let mut next: Option<(usize, usize)> = None;
        slots.iter().all(|(slot, count)| {
            let Some(slot) = self.slots.get(slot).filter(|slot| slot.room == *count) else { return false };
            let fits = next.is_none_or(|next| next == (slot.allocation, slot.offset));
            next = Some((slot.allocation, slot.offset + count.next_multiple_of(ALIGNMENT)));
            fits
        })
    }

    /// Moves slots into one new allocation, or into several if one would be too large.
    async fn gather(&mut self, opened: &Opened, slots: Vec<Named>) -> Result<()> {
        let limits = opened.device.limits();
        let most = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size) / 4;
        let mut parts: Vec<Vec<(String, usize, usize)>> = vec![vec![]];
        let mut offset = 0;
        for (slot, count) in slots {
            let size = count.next_multiple_of(ALIGNMENT);
            if offset > 0 && (offset + size) as u64 > most {
                parts.push(vec![]);
                offset = 0;
            }
            parts.last_mut().expect("there is a first one").push((slot, count, offset));
            offset += size;
        }
        parts.retain(|part| !part.is_empty());
        // All of them before anything moves, since memory may be full.
        let mut allocations = vec![];
        for part in &parts {
            let elements = part.last().map_or(0, |(_, count, offset)| offset + count.next_multiple_of(ALIGNMENT));
            allocations.push(opened.allocate("state", 4 * elements as u64, USAGE).await?);
        }
        for (part, allocation) in parts.into_iter().zip(allocations) {
            let mut encoder = opened.device.create_command_encoder(&Default::default());
            let number = self.allocations.len();
            for (slot, room, offset) in part {
                let old = self.slots.get(&slot);
                let kept = old.filter(|old| old.room == room && old.shape.is_some());
                if let Some(from) = kept.and_then(|old| self.allocations[old.allocation].as_ref().zip(Some(old))) {
                    let (buffer, old) = (&from.0.buffer, from.1);
                    let bytes = 4 * room as u64;
                    encoder.copy_buffer_to_buffer(
                        buffer,
                        4 * old.offset as u64,
                        &allocation.buffer,
                        4 * offset as u64,
                        bytes,
                    );
                }
                let shape = kept.and_then(|old| old.shape.clone());
                self.slots.insert(slot, Slot { allocation: number, offset, room, shape });
            }
            opened.queue.submit([encoder.finish()]);
            self.allocations.push(Some(allocation));
        }
        for (number, allocation) in self.allocations.iter_mut().enumerate() {
            if !self.slots.values().any(|slot| slot.allocation == number) {
                *allocation = None;
            }
        }
        self.version += 1;
        Ok(())
    }

    /// Sets slots; others stay.
    pub(crate) async fn write(&mut self, opened: &Opened, values: &Values) -> Result<()> {
        for (name, value) in values {
            let data = value.as_f32().ok_or_else(|| GraphError::Value {
                name: name.clone(),
                need: format!("f32{}", value.shape()),
                got: format!("{}{}", value.dtype(), value.shape()),
            })?;
            if self.slots.get(name).is_none_or(|slot| slot.room != data.len()) {
                self.gather(opened, vec![(name.clone(), data.len())]).await?;
            }
            let slot = self.slots.get_mut(name).expect("it has a place now");
            slot.shape = Some(value.shape().clone());
            if let Some(allocation) = &self.allocations[slot.allocation] {
                opened.queue.write_buffer(&allocation.buffer, 4 * slot.offset as u64, bytemuck::cast_slice(data));
            }
        }
        opened.sound()
    }

    /// All slots that were written.
    pub(crate) async fn read(&self, opened: &Opened) -> Result<Values> {
        let mut values = Values::new();
        // One allocation after the other: together they may be more than a buffer can hold.
        for (number, allocation) in self.allocations.iter().enumerate() {
            let slots = self.slots.iter().filter(|(_, slot)| slot.allocation == number);
            let written: Vec<_> = slots.filter_map(|(name, slot)| Some((name, slot, slot.shape.as_ref()?))).collect();
            let bytes: u64 = written.iter().map(|(_, slot, _)| 4 * slot.room as u64).sum();
            let floats: Vec<f32> = match allocation {
                Some(allocation) if bytes > 0 => {
                    let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
                    let staging = opened.allocate("state on its way to the host", bytes, usage).await?;
                    let mut encoder = opened.device.create_command_encoder(&Default::default());
                    let mut at = 0;
                    for (_, slot, _) in &written {
                        let (from, size) = (4 * slot.offset as u64, 4 * slot.room as u64);
                        encoder.copy_buffer_to_buffer(&allocation.buffer, from, &staging.buffer, at, size);
                        at += size;
                    }
                    let submission = opened.queue.submit([encoder.finish()]);
                    opened.read(&staging.buffer, opened.map(&staging.buffer, bytes, submission)).await?
                }
                _ => vec![],
            };
            let mut rest = &floats[..];
            for (name, slot, shape) in written {
                let (own, others) = rest.split_at(slot.room);
                rest = others;
                values.insert(name.clone(), HostTensor::f32(shape.clone(), own.to_vec()));
            }
        }
        Ok(values)
    }

    /// Shape and type of what was written to a slot.
    pub(crate) fn described(&self, name: &str) -> Option<(Shape, DType)> {
        Some((self.slots.get(name)?.shape.clone()?, DType::F32))
    }

    /// Where a slot of a plan is that was [placed](Self::place).
    pub(crate) fn location(&self, name: &str) -> Location {
        let slot = self.slots.get(name).expect("a plan's slots are placed when it is loaded, and stay");
        Location { memory: Memory::State(slot.allocation), offset: slot.offset }
    }

    pub(crate) fn buffer(&self, allocation: usize) -> Option<&wgpu::Buffer> {
        self.allocations[allocation].as_ref().map(|allocation| &allocation.buffer)
    }
}
