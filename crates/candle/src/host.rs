//! Tensors between the host and candle's device.

use candle_core::{DType, Device, Result, Tensor};
use graph::{HostData, HostTensor, Shape};

/// A copy on the device.
pub(crate) fn upload(value: &HostTensor, device: &Device) -> Result<Tensor> {
    let shape = value.shape().0.as_slice();
    match value.data() {
        HostData::F32(data) => Tensor::from_slice(data, shape, device),
        HostData::U32(data) => Tensor::from_slice(data, shape, device),
        HostData::U8(data) => Tensor::from_slice(data, shape, device),
    }
}

/// A copy on the host, for which the device is awaited.
pub(crate) fn download(tensor: &Tensor) -> Result<HostTensor> {
    let flat = tensor.flatten_all()?;
    Ok(match tensor.dtype() {
        DType::U8 => HostTensor::u8(tensor.dims(), flat.to_vec1()?),
        DType::U32 => HostTensor::u32(tensor.dims(), flat.to_vec1()?),
        _ => HostTensor::f32(tensor.dims(), flat.to_vec1()?),
    })
}

/// Shape and type as a graph declares them.
pub(crate) fn described(tensor: &Tensor) -> (Shape, graph::DType) {
    let dtype = match tensor.dtype() {
        DType::U8 => graph::DType::U8,
        DType::U32 => graph::DType::U32,
        _ => graph::DType::F32, // nothing else is uploaded or computed
    };
    (tensor.dims().into(), dtype)
}

/// candle's name for an element type.
pub(crate) fn dtype(dtype: graph::DType) -> DType {
    match dtype {
        graph::DType::F32 => DType::F32,
        graph::DType::U32 => DType::U32,
        graph::DType::U8 => DType::U8,
    }
}
