//! Matrix products on the calling thread.
//!
//! candle's own product queries the number of processors on every call, which takes longer than a
//! product of this size, and runs on all of them.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail};

use super::{values, with_values};

/// A borrowed matrix in row-major order, possibly transposed.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    is_transposed: bool,
}

impl<'a> Matrix<'a> {
    /// A matrix of `rows` times `columns` values in row-major order.
    ///
    /// # Errors
    /// If the number of values differs.
    fn new(values: &'a [f32], (rows, columns): (usize, usize)) -> Result<Matrix<'a>> {
        if values.len() != rows * columns {
            bail!("expected {rows} rows of {columns} values, found {} values", values.len());
        }
        Ok(Matrix { values, rows, columns, is_transposed: false })
    }

    fn transposed(self) -> Matrix<'a> {
        Matrix { rows: self.columns, columns: self.rows, is_transposed: !self.is_transposed, ..self }
    }

    /// Distance in values from one column to the next, and from one row to the next.
    fn strides(&self) -> (isize, isize) {
        if self.is_transposed { (self.rows as isize, 1) } else { (1, self.columns as isize) }
    }

    /// The product `self * right`, in row-major order.
    ///
    /// # Errors
    /// If the inner dimensions differ.
    fn multiply(self, right: Matrix) -> Result<Vec<f32>> {
        if self.columns != right.rows {
            bail!("expected a matrix of {} rows, found {}", self.columns, right.rows);
        }
        let mut product = vec![0.0_f32; self.rows * right.columns];
        let (left_column_stride, left_row_stride) = self.strides();
        let (right_column_stride, right_row_stride) = right.strides();
        // SAFETY: each pointer, with its strides, covers rows * columns values: `new` checked the
        // lengths of the factors, the product was allocated above, and the inner dimensions agree.
        // The product overlaps neither factor.
        unsafe {
            gemm::gemm(
                self.rows,
                right.columns,
                self.columns,
                product.as_mut_ptr(),
                1,
                right.columns as isize,
                false,
                self.values.as_ptr(),
                left_column_stride,
                left_row_stride,
                right.values.as_ptr(),
                right_column_stride,
                right_row_stride,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        Ok(product)
    }
}

/// Product of two matrices, with gradients for both.
pub(crate) struct MatMul;

impl CustomOp2 for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn cpu_fwd(
        &self,
        left: &CpuStorage,
        left_layout: &Layout,
        right: &CpuStorage,
        right_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let left = Matrix::new(values(left, left_layout)?, left_layout.shape().dims2()?)?;
        let right = Matrix::new(values(right, right_layout)?, right_layout.shape().dims2()?)?;
        Ok((CpuStorage::F32(left.multiply(right)?), (left.rows, right.columns).into()))
    }

    fn bwd(
        &self,
        left: &Tensor,
        right: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let left_grad = multiply_tensors(grad, right, |grad, right| grad.multiply(right.transposed()), left.shape())?;
        let right_grad = multiply_tensors(left, grad, |left, grad| left.transposed().multiply(grad), right.shape())?;
        Ok((Some(left_grad), Some(right_grad)))
    }
}

/// Product of a constant and a matrix: `left` times the argument. No gradient is computed for
/// `left`.
pub(crate) struct MatMulConst {
    /// The constant factor.
    pub(crate) left: Tensor,
}

impl CustomOp1 for MatMulConst {
    fn name(&self) -> &'static str {
        "matmul-const"
    }

    fn cpu_fwd(&self, right: &CpuStorage, right_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (left, left_layout) = self.left.storage_and_layout();
        let Storage::Cpu(left) = &*left else { bail!("expected a constant in main memory") };
        MatMul.cpu_fwd(left, left_layout, right, right_layout)
    }

    fn bwd(&self, right: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        multiply_tensors(&self.left, grad, |left, grad| left.transposed().multiply(grad), right.shape()).map(Some)
    }
}

/// Applies `multiply` to two tensors and gives the product the shape `shape`.
fn multiply_tensors(
    a: &Tensor,
    b: &Tensor,
    multiply: impl FnOnce(Matrix, Matrix) -> Result<Vec<f32>>,
    shape: &Shape,
) -> Result<Tensor> {
    let a_size = a.dims2()?;
    let b_size = b.dims2()?;
    let product = with_values(a, b, |a, b| multiply(Matrix::new(a, a_size)?, Matrix::new(b, b_size)?))??;
    Tensor::from_vec(product, shape, a.device())
}
