// A backend in the plainest words: loops in double over decoded weights, on memory that the host may not
// touch. It shows what a backend has to do, and that nothing around it reaches behind its back.
#pragma once

#include "tensor/dynamic_code.h"
#include "tests/nn/reference_forward.h"

namespace r1::test {

/// The gradients; the forward calls are ReferenceForward's.
class ReferenceBackend final : public ReferenceForward {
 public:
  using ReferenceForward::ReferenceForward;

  bool supports_training() const override { return true; }

  void embed_backward(std::span<const int32_t> tokens, const float* gradient, int64_t columns,
                      float* table_gradient) override {
    for (size_t r = 0; r < tokens.size(); ++r) {
      add(table_gradient + tokens[r] * columns, gradient + static_cast<int64_t>(r) * columns, columns);
    }
  }

  // With s = Σ x² / n + ε and y = x w / √s:  dx_i = (w_i dy_i - x_i (Σ w dy x) / (n s)) / √s
  void rms_norm_backward(const NormBackwardCall& call) override {
    const int64_t n = call.columns;
    const float* w = at(call.weight, n);
    for (int64_t r = 0; r < call.rows; ++r) {
      const float* x = at(call.x + r * call.x_stride, n);
      const float* dy = at(call.out_gradient + r * call.out_gradient_stride, n);
      float* dx = at(call.x_gradient + r * call.x_gradient_stride, n);
      double squares = 0, mean = 0;
      for (int64_t i = 0; i < n; ++i) squares += double{x[i]} * x[i], mean += double{w[i]} * dy[i] * x[i];
      const double s = squares / static_cast<double>(n) + double{call.epsilon}, root = std::sqrt(s);
      float* dw = call.weight_gradient == nullptr ? nullptr : at(call.weight_gradient, n);
      for (int64_t i = 0; i < n; ++i) {
        dx[i] += static_cast<float>((w[i] * dy[i] - x[i] * mean / (static_cast<double>(n) * s)) / root);
        if (dw != nullptr) dw[i] += static_cast<float>(dy[i] * x[i] / root);
      }
    }
  }

  void swiglu_backward(const SwigluBackwardCall& call) override {
    const float* gate = at(call.gate, call.count);
    const float* up = at(call.up, call.count);
    const float* slope = at(call.out_gradient, call.count);
    float* gate_gradient = at(call.gate_gradient, call.count);
    float* up_gradient = at(call.up_gradient, call.count);
    for (int64_t i = 0; i < call.count; ++i) {
      const double g = gate[i], s = sigmoid(g), d = slope[i];
      gate_gradient[i] = static_cast<float>(d * up[i] * s * (1 + g * (1 - s)));
      up_gradient[i] = static_cast<float>(d * g * s);
    }
  }

  void add_rows(float* to, const int32_t* rows, const float* from, int64_t count, int64_t columns) override {
    for (int64_t i = 0; i < count; ++i) add(to + at(rows, count)[i] * columns, from + i * columns, columns);
  }

  void add_column_sums(const float* x, int64_t rows, int64_t columns, int64_t stride, float* sums) override {
    for (int64_t r = 0; r < rows; ++r) add(sums, x + r * stride, columns);
  }

  void grouped_backward(const GroupedBackwardCall& call) override {
    for_each_layer(call.job, [&](size_t e, int64_t begin, int64_t rows, const float* input) {
      const Weight& weight = call.job.layers[e].weight;
      const float* gradient = call.output_gradient + begin * weight.outputs;
      Product back{gradient, weight.outputs, 1};
      back.weights = &weight;
      back.c = call.input_gradient + (input - call.job.input.values);
      back.c_row = weight.inputs;
      back.depth = weight.outputs;
      back.accumulate = true;
      product(back, rows, weight.inputs);
      if (call.weight_gradients[e] == nullptr) return;
      product({gradient, 1, weight.outputs, input, weight.inputs, 1, call.weight_gradients[e], weight.inputs,
               rows, true},
              weight.outputs, weight.inputs);
    });
  }

  void attention_backward(const AttentionBackwardCall& call) override {
    const bool in_keys = call.values == call.keys;
    const int64_t value_step = in_keys ? call.key_columns : call.value_columns;
    int64_t first = 0;
    for (const SequenceRows& sequence : call.sequences) {
      for (int64_t i = 0; i < sequence.rows; ++i) {
        for (int64_t h = 0; h < call.heads; ++h) {
          const int64_t group = h / (call.heads / call.key_value_heads);
          const int64_t q = ((first + i) * call.heads + h) * call.key_columns;
          const int64_t o = ((first + i) * call.heads + h) * call.value_columns;
          const float* query = at(call.queries + q, call.key_columns);
          const float* slope = at(call.output_gradient + o, call.value_columns);
          std::vector<double> p, dp;
          double sum = 0, share = 0;
          for (int64_t j = 0; j <= i; ++j) {
            const float* key = at(call.keys + ((first + j) * call.key_value_heads + group) * call.key_columns,
                                  call.key_columns);
            const float* value = at(call.values + ((first + j) * call.key_value_heads + group) * value_step,
                                    call.value_columns);
            double score = 0, inner = 0;
            for (int64_t c = 0; c < call.key_columns; ++c) score += double{query[c]} * key[c];
            for (int64_t c = 0; c < call.value_columns; ++c) inner += double{slope[c]} * value[c];
            p.push_back(call.window > 0 && i - j >= call.window ? 0 : std::exp(score * call.scale));
            dp.push_back(inner);
            sum += p.back();
          }
          for (int64_t j = 0; j <= i; ++j) p[j] /= sum, share += p[j] * dp[j];
          for (int64_t j = 0; j <= i; ++j) {
            const int64_t k = ((first + j) * call.key_value_heads + group) * call.key_columns;
            const int64_t v = ((first + j) * call.key_value_heads + group) * value_step;
            const double ds = call.scale * p[j] * (dp[j] - share);
            const float* key = at(call.keys + k, call.key_columns);
            float* query_gradient = at(call.query_gradient + q, call.key_columns);
            float* key_gradient = at(call.key_gradient + k, call.key_columns);
            float* value_gradient = at(call.value_gradient + v, call.value_columns);
            for (int64_t c = 0; c < call.key_columns; ++c) {
              query_gradient[c] += static_cast<float>(ds * key[c]);
              key_gradient[c] += static_cast<float>(ds * query[c]);
            }
            for (int64_t c = 0; c < call.value_columns; ++c) {
              value_gradient[c] += static_cast<float>(p[j] * slope[c]);
            }
          }
        }
      }
      first += sequence.rows;
    }
  }

  void latent_keys_backward(const LatentKeysCall& call, const float* keys_gradient,
                            float* compressed_gradient, float* norm_gradient) override {
    const int64_t columns = call.heads.cached(), latent = call.heads.latent;
    for (int64_t r = 0; r < call.rows; ++r) {
      float* to = at(compressed_gradient + r * columns, columns);
      std::fill_n(to, latent, 0.0F);
      std::copy_n(at(keys_gradient + r * columns + latent, call.heads.rotary), call.heads.rotary,
                  to + latent);
      rotate_head(RopeStyle::interleaved, call.table, r, true, to + latent);
    }
    rms_norm_backward({call.compressed, columns, call.norm, keys_gradient, columns, call.rows, latent,
                       call.epsilon, compressed_gradient, columns, norm_gradient});
  }

  void absorb_backward(const LatentBackwardCall& back) override {
    const LatentHeads& d = back.call.heads;
    for_each_head(back.call, true, [&](int64_t r, int64_t h, const Matrix& weight) {
      const float* query = at(back.call.input + (r * d.heads + h) * d.query(), d.query());
      const float* slope = at(back.output_gradient + (r * d.heads + h) * d.cached(), d.cached());
      float* to = at(back.input_gradient + (r * d.heads + h) * d.query(), d.query());
      float* gradient = weight_gradient(back, true, h);
      const bool apart = back.call.projections->apart();
      for (int64_t c = 0; c < d.plain; ++c) {
        double sum = 0;
        for (int64_t l = 0; l < d.latent; ++l) {
          sum += slope[l] * weight(c, l);
          if (gradient != nullptr)
            gradient[apart ? l * d.plain + c : c * d.latent + l] += query[c] * slope[l];
        }
        to[c] = static_cast<float>(sum);
      }
      std::copy_n(slope + d.latent, d.rotary, to + d.plain);
      rotate_head(RopeStyle::interleaved, back.call.table, r, true, to + d.plain);
    });
  }

  void expand_backward(const LatentBackwardCall& back) override {
    const LatentHeads& d = back.call.heads;
    for_each_head(back.call, false, [&](int64_t r, int64_t h, const Matrix& weight) {
      const float* attended = at(back.call.input + (r * d.heads + h) * d.latent, d.latent);
      const float* slope = at(back.output_gradient + (r * d.heads + h) * d.value, d.value);
      float* to = at(back.input_gradient + (r * d.heads + h) * d.latent, d.latent);
      float* gradient = weight_gradient(back, false, h);
      for (int64_t l = 0; l < d.latent; ++l) {
        double sum = 0;
        for (int64_t v = 0; v < d.value; ++v) {
          sum += slope[v] * weight(v, l);
          if (gradient != nullptr) gradient[v * d.latent + l] += slope[v] * attended[l];
        }
        to[l] = static_cast<float>(sum);
      }
    });
  }

  void route_backward(const RouteBackwardCall& back) override {
    const RouteCall& call = back.call;
    const int64_t n = call.rule.chosen;
    for (int64_t r = 0; r < call.rows; ++r) {
      double sum = 0, mean = 0;
      std::vector<double> score;
      const float* slope = at(back.weights_gradient + r * n, n);
      const int32_t* experts = at(call.experts + r * n, n);
      for (int64_t k = 0; k < n; ++k) {
        score.push_back(sigmoid(*at(call.logits + r * call.rule.experts + experts[k], 1)));
        sum += score[k];
        mean += slope[k] * score[k];
      }
      for (int64_t k = 0; k < n; ++k) {
        const double d = call.rule.normalise ? (slope[k] - mean / sum) / sum : slope[k];
        *at(back.logits_gradient + r * call.rule.experts + experts[k], 1) +=
            static_cast<float>(call.rule.scale * d * score[k] * (1 - score[k]));
      }
    }
  }

  void sum_experts_backward(const ExpertSumBackwardCall& back) override {
    const ExpertSumCall& call = back.call;
    for (int64_t p = 0; p < call.rows * call.chosen; ++p) {
      const float* slope = at(back.out_gradient + p / call.chosen * call.columns, call.columns);
      const int64_t pair = *at(call.pair_of + p, 1) * call.columns;
      double sum = 0;
      for (int64_t c = 0; c < call.columns; ++c) {
        sum += double{slope[c]} * *at(call.results + pair + c, 1);
        *at(back.results_gradient + pair + c, 1) = slope[c] * *at(call.weights + p, 1);
      }
      *at(back.weights_gradient + p, 1) = static_cast<float>(sum);
    }
  }

  void magnitude_backward(const MagnitudeBackwardCall& call) override {
    for (int64_t i = 0; i < call.rows * call.outputs; ++i) {
      const int64_t o = i % call.outputs;
      float* slope = at(call.gradient + i / call.outputs * call.gradient_stride + o, 1);
      const float norm = *at(call.norms + o, 1);
      if (call.magnitude_gradient != nullptr) {
        *at(call.magnitude_gradient + o, 1) += *slope * *at(call.direction + i, 1) / norm;
      }
      *slope *= *at(call.magnitude + o, 1) / norm;
    }
  }

  void combine(const CombineCall& call) override {
    float* out = at(call.out, call.count);
    const float* x = at(call.x, call.count);
    const float* y = at(call.y, call.count);
    for (int64_t i = 0; i < call.count; ++i)
      out[i] = static_cast<float>(double{call.a} * x[i] + double{call.b} * y[i]);
  }

  double sum_of_squares(std::span<const FloatArray> arrays) override {
    double sum = 0;
    for (const FloatArray& array : arrays) {
      const float* values = at(array.values, array.count);
      for (int64_t i = 0; i < array.count; ++i) sum += double{values[i]} * values[i];
    }
    return sum;
  }

  void adam(const AdamCall& call) override {
    for (const AdamTensor& tensor : call.tensors) {
      std::vector<double> mean = moment(tensor.mean, tensor.count, DynamicCode::of_signed());
      std::vector<double> square = moment(tensor.square, tensor.count, DynamicCode::of_unsigned());
      float* values = at(tensor.values, tensor.count);
      const float* gradients = at(tensor.gradient, tensor.count);
      for (int64_t i = 0; i < tensor.count; ++i) {
        const double gradient = double{call.gradient_factor} * gradients[i], beta1 = call.beta1,
                     beta2 = call.beta2;
        mean[i] = beta1 * mean[i] + (1 - beta1) * gradient;
        square[i] = beta2 * square[i] + (1 - beta2) * gradient * gradient;
        const double rate = tensor.learning_rate;
        values[i] = static_cast<float>(values[i] * (1 - rate * tensor.decay) -
                                       rate * call.correction1 * mean[i] /
                                           (std::sqrt(square[i] * call.correction2) + call.epsilon));
      }
      keep(tensor.mean, mean, DynamicCode::of_signed());
      keep(tensor.square, square, DynamicCode::of_unsigned());
    }
  }

 private:
  std::vector<double> moment(const AdamMoment& moment, int64_t count, const DynamicCode& code) const {
    std::vector<double> out;
    for (int64_t i = 0; i < count; ++i) {
      out.push_back(moment.scales == nullptr ? double{*at(moment.values + i, 1)}
                                             : double{code.value(*at(moment.codes + i, 1))} *
                                                   *at(moment.scales + i / kMomentBlock, 1));
    }
    return out;
  }

  void keep(const AdamMoment& moment, const std::vector<double>& values, const DynamicCode& code) const {
    for (size_t first = 0; first < values.size(); first += kMomentBlock) {
      const size_t end = std::min(values.size(), first + kMomentBlock);
      double largest = 0;
      for (size_t i = first; i < end; ++i) largest = std::max(largest, std::fabs(values[i]));
      if (moment.scales != nullptr)
        *at(moment.scales + first / kMomentBlock, 1) = static_cast<float>(largest);
      for (size_t i = first; i < end; ++i) {
        if (moment.scales == nullptr) {
          *at(moment.values + i, 1) = static_cast<float>(values[i]);
        } else {
          *at(moment.codes + i, 1) = code.nearest(static_cast<float>(largest > 0 ? values[i] / largest : 0));
        }
      }
    }
  }

  // The gradient of a head's weights as they are stored; null: frozen.
  float* weight_gradient(const LatentBackwardCall& back, bool keys, int64_t head) const {
    const LatentHeads& d = back.call.heads;
    const int64_t count = (keys ? d.plain : d.value) * d.latent;
    if (back.call.projections->apart()) {
      float* gradient = back.head_gradients[head];
      return gradient == nullptr ? nullptr : at(gradient, count);
    }
    if (back.together_gradient == nullptr) return nullptr;
    return at(back.together_gradient + (head * (d.plain + d.value) + (keys ? 0 : d.plain)) * d.latent, count);
  }
};

}  // namespace r1::test
