// Small matrices as arrays of rows: equations, derivatives, eigenvalues, principal components.

const DIFFERENCE = 1e-5; // of central differences
const SINGULAR_PIVOT = 1e-11; // pivot, as a share of the largest element

/** The x for which A x = b, by elimination with pivots; null if A is singular. */
export function solved(matrix, vector) {
  const size = vector.length;
  const rows = matrix.map((row, i) => [...row, vector[i]]);
  const largest = Math.max(...matrix.flat().map(Math.abs));
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let i = column + 1; i < size; i++) if (Math.abs(rows[i][column]) > Math.abs(rows[pivot][column])) pivot = i;
    if (!(Math.abs(rows[pivot][column]) > SINGULAR_PIVOT * largest)) return null;
    [rows[column], rows[pivot]] = [rows[pivot], rows[column]];
    for (let i = column + 1; i < size; i++) {
      const factor = rows[i][column] / rows[column][column];
      for (let j = column; j <= size; j++) rows[i][j] -= factor * rows[column][j];
    }
  }
  const result = new Array(size);
  for (let i = size - 1; i >= 0; i--) {
    let sum = rows[i][size];
    for (let j = i + 1; j < size; j++) sum -= rows[i][j] * result[j];
    result[i] = sum / rows[i][i];
  }
  return result;
}

/** The Jacobian of a map at a point by central differences, [units after][units before]. */
export function jacobianOf(map, point) {
  const columns = Array.from(point, (_, unit) => {
    const shifted = (by) => map(Array.from(point, (value, other) => (other === unit ? value + by : value)));
    const [above, below] = [shifted(DIFFERENCE), shifted(-DIFFERENCE)];
    return Array.from(above, (value, i) => (value - below[i]) / (2 * DIFFERENCE));
  });
  return columns.map((_, i) => columns.map((column) => column[i]));
}

/**
 * Eigenvalues {re, im} of a matrix of a few rows, the largest first: the roots of its characteristic polynomial
 * (Faddeev and Le Verrier), by the method of Durand and Kerner.
 */
export function eigenvalues(matrix) {
  const size = matrix.length;
  const coefficients = [1]; // of the polynomial, the highest power first
  let product = matrix.map((row) => row.map(() => 0));
  for (let power = 1; power <= size; power++) {
    const shifted = product.map((row, i) => row.map((value, j) => value + (i === j ? coefficients[power - 1] : 0)));
    product = matrix.map((row) => row.map((_, j) => row.reduce((sum, value, k) => sum + value * shifted[k][j], 0)));
    coefficients.push(-product.reduce((trace, row, i) => trace + row[i], 0) / power);
  }
  const radius = 1 + Math.max(...coefficients.slice(1).map(Math.abs));
  if (!Number.isFinite(radius)) return matrix.map(() => ({ re: NaN, im: NaN }));
  const roots = matrix.map((_, i) => {
    const angle = 0.4 + (2 * Math.PI * i) / size;
    return { re: (radius * Math.cos(angle)) / 2, im: (radius * Math.sin(angle)) / 2 };
  });
  for (let round = 0; round < 200; round++) {
    let change = 0;
    for (const root of roots) {
      let value = { re: 0, im: 0 };
      for (const coefficient of coefficients) {
        value = complexProduct(value, root);
        value.re += coefficient;
      }
      let apart = { re: 1, im: 0 };
      for (const other of roots) if (other !== root) apart = complexProduct(apart, { re: root.re - other.re, im: root.im - other.im });
      const size2 = apart.re ** 2 + apart.im ** 2 || 1e-300;
      const step = complexProduct(value, { re: apart.re / size2, im: -apart.im / size2 });
      root.re -= step.re;
      root.im -= step.im;
      change = Math.max(change, Math.abs(step.re), Math.abs(step.im));
    }
    if (change < 1e-13 * radius) break;
  }
  return roots.sort((one, other) => Math.hypot(other.re, other.im) - Math.hypot(one.re, one.im));
}

function complexProduct(one, other) {
  return { re: one.re * other.re - one.im * other.im, im: one.re * other.im + one.im * other.re };
}

/**
 * The first `number` principal components of some points: {mean, axes, shares}, the shares those of the variance.
 * The largest element of each axis is positive.
 */
export function principalComponents(points, number) {
  const size = points[0].length;
  const mean = Array.from({ length: size }, (_, unit) => points.reduce((sum, point) => sum + point[unit], 0) / points.length);
  const covariance = mean.map((_, i) =>
    mean.map((_, j) => points.reduce((sum, point) => sum + (point[i] - mean[i]) * (point[j] - mean[j]), 0) / points.length),
  );
  const { values, vectors } = symmetricEigenvectors(covariance);
  const total = values.reduce((sum, value) => sum + value, 0) || 1;
  const order = values.map((_, place) => place).sort((one, other) => values[other] - values[one]).slice(0, number);
  const axes = order.map((place) => {
    const axis = vectors.map((row) => row[place]);
    const largest = axis.reduce((best, value) => (Math.abs(value) > Math.abs(best) + 1e-9 ? value : best), 0);
    return largest < 0 ? axis.map((value) => -value) : axis;
  });
  return { mean, axes, shares: order.map((place) => Math.max(0, values[place]) / total) };
}

/** Eigenvalues and eigenvectors, the columns of `vectors`, of a symmetric matrix, by Jacobi's rotations. */
function symmetricEigenvectors(matrix) {
  const size = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((_, i) => a.map((_, j) => (i === j ? 1 : 0)));
  const scale = a.reduce((sum, row, i) => sum + Math.abs(row[i]), 0);
  for (let sweep = 0; sweep < 30; sweep++) {
    let rotated = false;
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        if (!(Math.abs(a[p][q]) > 1e-12 * scale)) continue;
        rotated = true;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const cosine = 1 / Math.hypot(tangent, 1);
        const sine = tangent * cosine;
        for (let k = 0; k < size; k++) [a[k][p], a[k][q]] = [cosine * a[k][p] - sine * a[k][q], sine * a[k][p] + cosine * a[k][q]];
        for (let k = 0; k < size; k++) {
          [a[p][k], a[q][k]] = [cosine * a[p][k] - sine * a[q][k], sine * a[p][k] + cosine * a[q][k]];
          [vectors[k][p], vectors[k][q]] = [cosine * vectors[k][p] - sine * vectors[k][q], sine * vectors[k][p] + cosine * vectors[k][q]];
        }
      }
    }
    if (!rotated) break;
  }
  return { values: a.map((row, i) => row[i]), vectors };
}
