//! Products of matrices, on the calling thread.
//!
//! The library's own asks the system for its processors before every product, which takes longer than a product of this
//! size, and spreads over all of them.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::ops::{values, with_values};

/// A view of `rows` times `columns` values.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    is_transposed: bool,
}

impl<'a> Matrix<'a> {
    /// Values row by row.
    fn new(values: &'a [f32], (rows, columns): (usize, usize)) -> Result<Matrix<'a>> {
        if values.len() != rows * columns {
            bail!("expected {rows} rows of {columns} values, found {} values", values.len());
        }
        Ok(Matrix { values, rows, columns, is_transposed: false })
    }

    fn transposed(self) -> Matrix<'a> {
        Matrix { rows: self.columns, columns: self.rows, is_transposed: !self.is_transposed, ..self }
    }

    /// From one column to the next, and from one row to the next.
    fn strides(&self) -> (isize, isize) {
        if self.is_transposed { (self.rows as isize, 1) } else { (1, self.columns as isize) }
    }

    fn times(self, right: Matrix) -> Result<Vec<f32>> {
        if self.columns != right.rows {
            bail!("expected a matrix of {} rows, found {}", self.columns, right.rows);
        }
        let mut product = vec![0.0_f32; self.rows * right.columns];
        let ((left_column, left_row), (right_column, right_row)) = (self.strides(), right.strides());
        // SAFETY: each pointer, with its strides, covers rows * columns values: `new` counted those of the factors, the
        // product has just been made, and the inner sizes agree. The product overlaps neither factor.
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
                left_column,
                left_row,
                right.values.as_ptr(),
                right_column,
                right_row,
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

/// The first argument times the second.
pub(crate) struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(
        &self,
        left: &CpuStorage,
        left_at: &Layout,
        right: &CpuStorage,
        right_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (left_size, right_size) = (left_at.shape().dims2()?, right_at.shape().dims2()?);
        let left = Matrix::new(values(left, left_at)?, left_size)?;
        let right = Matrix::new(values(right, right_at)?, right_size)?;
        Ok((CpuStorage::F32(left.times(right)?), (left.rows, right.columns).into()))
    }

    fn bwd(
        &self,
        left: &Tensor,
        right: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let of_left = tensor_product(grad, right, |grad, right| grad.times(right.transposed()), left)?;
        let of_right = tensor_product(left, grad, |left, grad| left.transposed().times(grad), right)?;
        Ok((Some(of_left), Some(of_right)))
    }
}

/// `left` times the argument, where `left` is data: its own gradient is not worked out.
pub(crate) struct TimesData {
    pub(crate) left: Tensor,
}

impl CustomOp1 for TimesData {
    fn name(&self) -> &'static str {
        "times-data"
    }

    fn cpu_fwd(&self, right: &CpuStorage, right_at: &Layout) -> Result<(CpuStorage, Shape)> {
        let (left, left_at) = self.left.storage_and_layout();
        let candle_core::Storage::Cpu(left) = &*left else { bail!("expected data in main memory") };
        Product.cpu_fwd(left, left_at, right, right_at)
    }

    fn bwd(&self, right: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        tensor_product(&self.left, grad, |left, grad| left.transposed().times(grad), right).map(Some)
    }
}

/// What `multiply` makes of two tensors, in the shape of a third.
fn tensor_product(
    a: &Tensor,
    b: &Tensor,
    multiply: impl FnOnce(Matrix, Matrix) -> Result<Vec<f32>>,
    like: &Tensor,
) -> Result<Tensor> {
    let (a_size, b_size) = (a.dims2()?, b.dims2()?);
    let product = with_values(a, b, |a, b| multiply(Matrix::new(a, a_size)?, Matrix::new(b, b_size)?))??;
    Tensor::from_vec(product, like.shape(), like.device())
}
