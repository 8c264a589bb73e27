use crate::{Origin, Shape};

/// What can be wrong with a recorded computation or with the values given to it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum GraphError {
    #[error("{op} at {origin} got {} but needs {need}", list(got))]
    Shape { op: &'static str, origin: Origin, got: Vec<Shape>, need: String },
    #[error("{op} has no derivative (recorded at {origin})")]
    NoDerivative { op: &'static str, origin: Origin },
    #[error("a derivative is taken of a scalar, not of {shape} (recorded at {origin})")]
    NotScalar { shape: Shape, origin: Origin },
    #[error("{op} at {origin} takes a value of another recording")]
    Recording { op: &'static str, origin: Origin },
    #[error("invalid graph: {what}")]
    Invalid { what: String },
    #[error("`{name}` has no value: give one before the step")]
    Missing { name: String },
    #[error("`{name}` is declared as {need} but the value given is {got}")]
    Value { name: String, need: String, got: String },
    #[error("gather at {origin} reads row {index} of a table with {rows} rows")]
    Row { origin: Origin, index: u32, rows: usize },
}

fn list(shapes: &[Shape]) -> String {
    shapes.iter().map(Shape::to_string).collect::<Vec<_>>().join(" and ")
}
