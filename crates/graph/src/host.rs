//! Values in host memory.

use std::collections::BTreeMap;

use crate::{DType, GraphError, Shape};

/// Elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum HostData {
    F32(Vec<f32>),
    U32(Vec<u32>),
    U8(Vec<u8>),
}

/// A tensor in host memory: what goes to an engine and what comes back. It has as many elements as its shape says.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    shape: Shape,
    data: HostData,
}

/// Values by name: state slots, inputs, outputs.
pub type Values = BTreeMap<String, HostTensor>;

impl HostTensor {
    /// An f32 tensor. Panics where `data` has not `shape`'s number of elements: both come from the caller's code.
    pub fn f32(shape: impl Into<Shape>, data: Vec<f32>) -> Self {
        Self::new(shape.into(), HostData::F32(data))
    }

    /// A u32 tensor; panics as [`HostTensor::f32`].
    pub fn u32(shape: impl Into<Shape>, data: Vec<u32>) -> Self {
        Self::new(shape.into(), HostData::U32(data))
    }

    /// A u8 tensor; panics as [`HostTensor::f32`].
    pub fn u8(shape: impl Into<Shape>, data: Vec<u8>) -> Self {
        Self::new(shape.into(), HostData::U8(data))
    }

    /// An f32 scalar.
    pub fn scalar(value: f32) -> Self {
        Self::f32([], vec![value])
    }

    /// f32 zeros.
    pub fn zeros(shape: Shape) -> Self {
        let count = shape.count();
        Self::f32(shape, vec![0.0; count])
    }

    fn new(shape: Shape, data: HostData) -> Self {
        let tensor = HostTensor { shape, data };
        assert_eq!(tensor.shape.count(), tensor.len(), "elements for {}", tensor.shape);
        tensor
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        match &self.data {
            HostData::F32(_) => DType::F32,
            HostData::U32(_) => DType::U32,
            HostData::U8(_) => DType::U8,
        }
    }

    fn len(&self) -> usize {
        match &self.data {
            HostData::F32(data) => data.len(),
            HostData::U32(data) => data.len(),
            HostData::U8(data) => data.len(),
        }
    }

    /// Axes; their product is the number of elements.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Elements.
    pub fn data(&self) -> &HostData {
        &self.data
    }

    /// The elements of an f32 tensor to be written, `None` for integers.
    pub fn as_f32_mut(&mut self) -> Option<&mut [f32]> {
        match &mut self.data {
            HostData::F32(data) => Some(data),
            _ => None,
        }
    }

    /// The elements of a u32 tensor to be written, `None` for other types.
    pub fn as_u32_mut(&mut self) -> Option<&mut [u32]> {
        match &mut self.data {
            HostData::U32(data) => Some(data),
            _ => None,
        }
    }

    /// The elements of an f32 tensor, `None` for integers.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.data {
            HostData::F32(data) => Some(data),
            _ => None,
        }
    }

    /// The elements of a u32 tensor, `None` for other types.
    pub fn as_u32(&self) -> Option<&[u32]> {
        match &self.data {
            HostData::U32(data) => Some(data),
            _ => None,
        }
    }

    /// Says whether this value fits a declaration, in an error that names it.
    ///
    /// # Errors
    /// [`GraphError::Value`] where shape or type differ.
    pub fn expect(&self, name: &str, shape: &Shape, dtype: DType) -> Result<(), GraphError> {
        if (&self.shape, self.dtype()) == (shape, dtype) {
            return Ok(());
        }
        let (need, got) = (format!("{dtype}{shape}"), format!("{}{}", self.dtype(), self.shape));
        Err(GraphError::Value { name: name.into(), need, got })
    }
}
