// The training kernels on single rows. Included after lanes_*.h, exp.inc.h, vector.inc.h.

namespace r1::kernels {
namespace {

/// The order of rms_norm's sum: vector i goes to accumulator i mod 4; (0 + 1) + (2 + 3); then over the lanes.
template <typename Term>
inline float sum_in_order(int64_t count, Term&& term) {
  F32x16 sums[4] = {broadcast(0.0F), broadcast(0.0F), broadcast(0.0F), broadcast(0.0F)};
  int64_t i = 0;
  for (; i + 64 <= count; i += 64) {
    for (int k = 0; k < 4; k++) sums[k] = term(i + 16 * k, 16, sums[k]);
  }
  for (int k = 0; i < count; i += 16, k++)
    sums[k] = term(i, count - i < 16 ? static_cast<int>(count - i) : 16, sums[k]);
  return reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

inline float dot_body(const float* x, const float* y, int64_t count) {
  return sum_in_order(count, [&](int64_t at, int n, F32x16 sum) {
    return fma(load_up_to(x + at, n), load_up_to(y + at, n), sum);
  });
}

inline void rms_norm_backward_body(const float* x, const float* weight, const float* dy, int64_t columns,
                                   float epsilon, float* dx, float* weight_gradient) {
  const float inverse =
      1.0F / __builtin_sqrtf(dot_body(x, x, columns) / static_cast<float>(columns) + epsilon);
  const float product = sum_in_order(columns, [&](int64_t at, int n, F32x16 sum) {
    return fma(load_up_to(x + at, n) * load_up_to(weight + at, n), load_up_to(dy + at, n), sum);
  });
  const F32x16 factor = broadcast(inverse);
  const F32x16 share = broadcast(-product / static_cast<float>(columns) * inverse * inverse * inverse);
  for_each_vector(columns, [&](int64_t at, int n) {
    const F32x16 value = load_up_to(x + at, n);
    const F32x16 gradient = load_up_to(dy + at, n);
    const F32x16 direct = gradient * load_up_to(weight + at, n) * factor;
    store_up_to(dx + at, load_up_to(dx + at, n) + fma(value, share, direct), n);
    if (weight_gradient != nullptr)
      store_up_to(weight_gradient + at, fma(gradient, value * factor, load_up_to(weight_gradient + at, n)),
                  n);
  });
}

inline void swiglu_backward_body(const float* gate, const float* up, const float* out_gradient, int64_t count,
                                 float* gate_gradient, float* up_gradient) {
  const F32x16 one = broadcast(1.0F);
  for_each_vector(count, [&](int64_t at, int n) {
    const F32x16 g = load_up_to(gate + at, n);
    const F32x16 d = load_up_to(out_gradient + at, n);
    const F32x16 sigmoid = one / (one + exponential(broadcast(0.0F) - g));
    const F32x16 silu = g * sigmoid;
    const F32x16 u = load_up_to(up + at, n);
    store_up_to(up_gradient + at, d * silu, n);
    // silu' = sigmoid · (1 + gate · (1 - sigmoid))
    store_up_to(gate_gradient + at, d * u * (sigmoid * fma(g, one - sigmoid, one)), n);
  });
}

inline void exponentials_body(float* x, float scale, float shift, int64_t visible, int64_t count) {
  for_each_vector(visible, [&](int64_t at, int n) {
    const F32x16 value = exponential(fma(load_up_to(x + at, n), broadcast(scale), broadcast(-shift)));
    store_up_to(x + at, value, n);
  });
  for (int64_t i = visible; i < count; i++) x[i] = 0.0F;
}

inline void softmax_backward_body(const float* p, float* dp, float offset, float factor, int64_t count) {
  const F32x16 f = broadcast(factor);
  const F32x16 o = broadcast(offset);
  for_each_vector(count, [&](int64_t at, int n) {
    store_up_to(dp + at, f * load_up_to(p + at, n) * (load_up_to(dp + at, n) - o), n);
  });
}

inline SoftmaxRow log_sum_exp_body(const float* x, float scale, int64_t count, int64_t target) {
  // The maximum is the same in any order; lanes past the end repeat the first value.
  F32x16 largest = broadcast(x[0]);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) largest = max(largest, load(x + i));
  float most = reduce_max(largest);
  for (; i < count; i++) most = x[i] > most ? x[i] : most;
  const float shift = most * scale;
  const F32x16 s = broadcast(scale);
  const F32x16 m = broadcast(-shift);
  const int64_t whole = count / 16 * 16;
  float sum = sum_in_order(
      whole, [&](int64_t at, int, F32x16 running) { return running + exponential(fma(load(x + at), s, m)); });
  if (whole < count) {
    float rest[16];
    store(rest, exponential(fma(load_up_to(x + whole, static_cast<int>(count - whole)), s, m)));
    for (int64_t k = 0; k < count - whole; k++) sum += rest[k];
  }
  return {shift + static_cast<float>(__builtin_log(static_cast<double>(sum))),
          target >= 0 ? x[target] * scale : 0.0F};
}

inline void scale_body(float* x, float factor, int64_t count) {
  const F32x16 f = broadcast(factor);
  for_each_vector(count, [&](int64_t at, int n) { store_up_to(x + at, load_up_to(x + at, n) * f, n); });
}

inline void adam_body(const AdamStep& step, float* weights, const float* gradient, float* m, float* v,
                      int64_t count) {
  const F32x16 factor = broadcast(step.gradient_factor);
  const F32x16 beta1 = broadcast(step.beta1), rest1 = broadcast(1.0F - step.beta1);
  const F32x16 beta2 = broadcast(step.beta2), rest2 = broadcast(1.0F - step.beta2);
  const F32x16 rate = broadcast(step.learning_rate * step.correction1);
  const F32x16 kept = broadcast(1.0F - step.learning_rate * step.decay);
  const F32x16 epsilon = broadcast(step.epsilon);
  const F32x16 correction2 = broadcast(step.correction2);
  for_each_vector(count, [&](int64_t at, int n) {
    const F32x16 g = load_up_to(gradient + at, n) * factor;
    const F32x16 mean = fma(beta1, load_up_to(m + at, n), rest1 * g);
    const F32x16 square = fma(beta2, load_up_to(v + at, n), rest2 * g * g);
    store_up_to(m + at, mean, n);
    store_up_to(v + at, square, n);
    const F32x16 change = rate * mean / (square_root(square * correction2) + epsilon);
    store_up_to(weights + at, load_up_to(weights + at, n) * kept - change, n);
  });
}

inline void enter_row_kernels(TrainingKernels& training) {
  training.rms_norm_backward = rms_norm_backward_body;
  training.swiglu_backward = swiglu_backward_body;
  training.exponentials = exponentials_body;
  training.softmax_backward = softmax_backward_body;
  training.log_sum_exp = log_sum_exp_body;
  training.dot = dot_body;
  training.scale = scale_body;
  training.adam = adam_body;
}

}  // namespace
}  // namespace r1::kernels
