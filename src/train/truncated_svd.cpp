#include "train/truncated_svd.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "nn/linear.h"

namespace r1 {
namespace {

constexpr int64_t kMoreDirections = 8;
constexpr int kIterations = 8;

double dot(const float* x, const float* y, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * y[i];
  return sum;
}

// Rows [count, length] become orthonormal, each against those before it, twice for what rounding leaves.
void orthonormalise(std::vector<float>& rows, int64_t count, int64_t length) {
  for (int64_t i = 0; i < count; ++i) {
    float* row = rows.data() + i * length;
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t j = 0; j < i; ++j) {
        const float* other = rows.data() + j * length;
        const auto share = static_cast<float>(dot(row, other, length));
        for (int64_t c = 0; c < length; ++c) row[c] -= share * other[c];
      }
    }
    const double norm = std::sqrt(dot(row, row, length));
    const auto inverse = static_cast<float>(norm > 1e-30 ? 1 / norm : 0);
    for (int64_t c = 0; c < length; ++c) row[c] *= inverse;
  }
}

// Eigenvalues and (as rows of `vectors`) eigenvectors of a symmetric matrix by Jacobi's rotations.
std::vector<double> eigen(std::vector<double> a, int64_t n, std::vector<double>& vectors) {
  vectors.assign(n * n, 0);
  for (int64_t i = 0; i < n; ++i) vectors[i * n + i] = 1;
  for (int sweep = 0; sweep < 60; ++sweep) {
    double off = 0, all = 0;
    for (int64_t i = 0; i < n * n; ++i) {
      all += a[i] * a[i];
      if (i / n != i % n) off += a[i] * a[i];
    }
    if (off <= 1e-28 * all) break;
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) {
        if (a[p * n + q] == 0) continue;
        const double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
        const double t = (theta >= 0 ? 1 : -1) / (std::fabs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (int64_t k = 0; k < n; ++k) {
          const double x = a[k * n + p], y = a[k * n + q];
          a[k * n + p] = c * x - s * y;
          a[k * n + q] = s * x + c * y;
        }
        for (int64_t k = 0; k < n; ++k) {
          const double x = a[p * n + k], y = a[q * n + k];
          a[p * n + k] = c * x - s * y;
          a[q * n + k] = s * x + c * y;
          const double u = vectors[p * n + k], v = vectors[q * n + k];
          vectors[p * n + k] = c * u - s * v;
          vectors[q * n + k] = s * u + c * v;
        }
      }
    }
  }
  std::vector<double> values(n);
  for (int64_t i = 0; i < n; ++i) values[i] = a[i * n + i];
  return values;
}

}  // namespace

TruncatedSvd truncated_svd(Context& context, const float* matrix, int64_t rows, int64_t columns, int64_t rank,
                           uint64_t seed) {
  const int64_t count = std::min(rank + kMoreDirections, std::min(rows, columns));
  // Directions lie as rows: right [count, columns], left [count, rows].
  std::vector<float> right(count * columns), left(count * rows);
  for (size_t i = 0; i < right.size(); ++i) right[i] = static_cast<float>(2 * random_uniform(seed, i) - 1);
  for (int i = 0; i < kIterations; ++i) {
    orthonormalise(right, count, columns);
    run_product(context, {right.data(), columns, 1, matrix, 1, columns, left.data(), rows, columns, false},
                count, rows);
    orthonormalise(left, count, rows);
    run_product(context, {left.data(), rows, 1, matrix, columns, 1, right.data(), columns, rows, false},
                count, columns);
  }
  // Now right = leftᵀ M: a small matrix whose decomposition is M's in these directions.
  std::vector<double> gram(count * count), vectors;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < count; ++j) {
      gram[i * count + j] = dot(right.data() + i * columns, right.data() + j * columns, columns);
    }
  }
  const std::vector<double> squares = eigen(std::move(gram), count, vectors);
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return squares[a] > squares[b]; });
  TruncatedSvd out;
  for (int64_t k = 0; k < rank; ++k) {
    const double* vector = vectors.data() + order[k] * count;
    const double value = std::sqrt(std::max(squares[order[k]], 0.0));
    out.values.push_back(value);
    auto mix = [&](const std::vector<float>& directions, int64_t length, double factor,
                   std::vector<float>& to) {
      std::vector<double> sum(length);
      for (int64_t i = 0; i < count; ++i) {
        for (int64_t c = 0; c < length; ++c) sum[c] += vector[i] * directions[i * length + c];
      }
      for (const double x : sum) to.push_back(static_cast<float>(x * factor));
    };
    mix(left, rows, 1, out.left);
    mix(right, columns, value > 0 ? 1 / value : 0, out.right);
  }
  return out;
}

}  // namespace r1
