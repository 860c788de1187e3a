// The forward half of the reference backend, and what both halves use.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "nn/adapter.h"
#include "nn/backend.h"
#include "tensor/codec.h"
#include "tests/nn/fenced_memory.h"

namespace r1::test {

class ReferenceForward : public Backend {
 public:
  explicit ReferenceForward(FencedMemory& fenced) : Backend(fenced, Arithmetic::exact), fenced_(fenced) {}

  std::string_view name() const override { return "reference"; }
  bool supports(DType stored) const override { return stored < DType::i8 || stored > DType::i64; }

  void embed(const Weight& table, std::span<const int32_t> tokens, float* out) override {
    float* to = at(out, std::ssize(tokens) * table.inputs);
    for (const int32_t token : tokens) {
      for (const double value : row_of(table, token)) *to++ = static_cast<float>(value);
    }
  }

  Activations add_rms_norm(const NormCall& call) override {
    const int64_t columns = call.columns, count = call.rows * columns;
    float* x = at(call.x, count);
    float* out = at(call.out, count);
    const float* weight = at(call.weight, columns);
    if (call.addend != nullptr) {
      const float* addend = at(call.addend, count);
      for (int64_t i = 0; i < count; ++i) x[i] += addend[i];
    }
    if (call.saved != nullptr) std::copy_n(x, count, at(call.saved, count));
    for (int64_t r = 0; r < call.rows; ++r)
      norm_row(x + r * columns, weight, columns, call.epsilon, out + r * columns);
    return rows_of(call.out, call.rows, columns);
  }

  Activations swiglu(const SwigluCall& call) override {
    const int64_t count = call.rows * call.columns;
    const float* gate = at(call.gate, count);
    const float* up = at(call.up, count);
    float* out = at(call.out, count);
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(gate[i] * sigmoid(gate[i]) * up[i]);
    return rows_of(call.out, call.rows, call.columns);
  }

  Activations prepare(const Activations& rows, const Readers&) override { return rows; }

  Activations gather(const Activations& input, const int32_t* rows, int64_t count) override {
    Activations out = input;
    float* values = arena().allocate<float>(count * input.columns);
    out.values = values;
    out.rows = count;
    out.stride = input.columns;
    const int32_t* from = at(rows, count);
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(at(input.values + from[i] * input.stride, input.columns), input.columns,
                  at(values + i * input.columns, input.columns));
    }
    return out;
  }

  void take_rows(float* to, const float* from, const int32_t* rows, int64_t count, int64_t columns) override {
    const int32_t* numbers = at(rows, count);
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(at(from + numbers[i] * columns, columns), columns, at(to + i * columns, columns));
    }
  }

  void linear(std::span<const LinearJob> jobs, std::span<const GroupedJob> groups) override {
    for (const LinearJob& job : jobs) run(job);
    for (const GroupedJob& group : groups) {
      for_each_layer(group, [&](size_t e, int64_t begin, int64_t rows, const float* input) {
        const Linear& layer = group.layers[e];
        Activations expert_rows = rows_of(input, rows, layer.inputs());
        run({&layer, expert_rows, group.output + begin * layer.outputs(), layer.outputs(), 0, layer.outputs(),
             false});
      });
    }
  }

  void rope_table(const RopeFrequencies& rope, std::span<const int32_t> positions, float* cosines,
                  float* sines) override {
    const int64_t pairs = std::ssize(rope.inverse), count = std::ssize(positions) * pairs;
    float* cosine = at(cosines, count);
    float* sine = at(sines, count);
    for (int64_t i = 0; i < count; ++i) {
      const double angle = positions[i / pairs] * rope.inverse[i % pairs];
      cosine[i] = static_cast<float>(rope.magnitude * std::cos(angle));
      sine[i] = static_cast<float>(rope.magnitude * std::sin(angle));
    }
  }

  void rotate(std::span<const RotateCall> calls) override {
    for (const RotateCall& call : calls) {
      for (int64_t r = 0; r < call.rows; ++r) {
        const int64_t place = call.table_rows == nullptr ? r : at(call.table_rows, call.rows)[r];
        for (int64_t h = 0; h < call.heads; ++h) {
          rotate_head(call.style, call.table, place, call.back,
                      at(call.x + r * call.stride + h * call.columns, call.columns));
        }
      }
    }
  }

  void store(std::span<const StoreCall> calls) override {
    for (const StoreCall& call : calls) {
      const int32_t* blocks = at(call.places.blocks, call.rows);
      const int32_t* tokens = at(call.places.tokens, call.rows);
      const size_t bytes = row_bytes(call.plane.dtype, call.columns);
      for (int64_t r = 0; r < call.rows; ++r) {
        for (int64_t h = 0; h < call.heads; ++h) {
          const float* x = at(call.x + (r * call.heads + h) * call.columns, call.columns);
          std::byte* to = call.plane.data + blocks[r] * call.plane.block_stride +
                          tokens[r] * call.plane.token_bytes + h * call.plane.head_bytes;
          quantise_row(call.plane.dtype, {x, static_cast<size_t>(call.columns)},
                       at(to, static_cast<int64_t>(bytes)));
        }
      }
    }
  }

  void attention(const AttentionCall& call) override {
    int64_t row = 0;
    for (const SequenceRows& sequence : call.sequences) {
      for (int64_t r = 0; r < sequence.rows; ++r, ++row) {
        for (int64_t h = 0; h < call.heads; ++h) {
          const int64_t group = h / (call.heads / call.key_value_heads);
          const float* query = at(call.queries + (row * call.heads + h) * call.key_columns, call.key_columns);
          std::vector<double> scores, sums(call.value_columns);
          double largest = -INFINITY, total = 0;
          for (int64_t p = 0; p <= sequence.first_position + r; ++p) {
            const auto key = cached(call.keys, sequence, p, group, call.key_columns, call.block_tokens);
            double score = 0;
            for (int64_t c = 0; c < call.key_columns; ++c) score += double{query[c]} * key[c];
            const bool hidden = call.window > 0 && sequence.first_position + r - p >= call.window;
            scores.push_back(hidden ? -INFINITY : score * call.scale);
            largest = std::max(largest, scores.back());
          }
          for (int64_t p = 0; p < std::ssize(scores); ++p) {
            const auto value = cached(call.values, sequence, p, group, call.value_columns, call.block_tokens);
            const double weight = std::exp(scores[p] - largest);
            total += weight;
            for (int64_t c = 0; c < call.value_columns; ++c) sums[c] += weight * value[c];
          }
          float* out = at(call.output + (row * call.heads + h) * call.value_columns, call.value_columns);
          for (int64_t c = 0; c < call.value_columns; ++c) out[c] = static_cast<float>(sums[c] / total);
        }
      }
    }
  }

  void latent_keys(const LatentKeysCall& call) override {
    const int64_t columns = call.heads.cached(), latent = call.heads.latent;
    const float* norm = at(call.norm, latent);
    for (int64_t r = 0; r < call.rows; ++r) {
      const float* from = at(call.compressed + r * columns, columns);
      float* to = at(call.keys + r * columns, columns);
      const std::vector<float> copy(from, from + columns);
      norm_row(copy.data(), norm, latent, call.epsilon, to);
      std::copy_n(copy.data() + latent, call.heads.rotary, to + latent);
      rotate_head(RopeStyle::interleaved, call.table, r, false, to + latent);
    }
  }

  void absorb_queries(const LatentCall& call) override {
    const LatentHeads& d = call.heads;
    for_each_head(call, true, [&](int64_t r, int64_t h, const Matrix& weight) {
      const float* query = at(call.input + (r * d.heads + h) * d.query(), d.query());
      float* out = at(call.output + (r * d.heads + h) * d.cached(), d.cached());
      for (int64_t l = 0; l < d.latent; ++l) {
        double sum = 0;
        for (int64_t c = 0; c < d.plain; ++c) sum += query[c] * weight(c, l);
        out[l] = static_cast<float>(sum);
      }
      std::copy_n(query + d.plain, d.rotary, out + d.latent);
      const int64_t place = call.table_rows == nullptr ? r : at(call.table_rows, call.rows)[r];
      rotate_head(RopeStyle::interleaved, call.table, place, false, out + d.latent);
    });
  }

  void expand_values(const LatentCall& call) override {
    const LatentHeads& d = call.heads;
    for_each_head(call, false, [&](int64_t r, int64_t h, const Matrix& weight) {
      const float* attended = at(call.input + (r * d.heads + h) * d.latent, d.latent);
      float* out = at(call.output + (r * d.heads + h) * d.value, d.value);
      for (int64_t v = 0; v < d.value; ++v) {
        double sum = 0;
        for (int64_t l = 0; l < d.latent; ++l) sum += attended[l] * weight(v, l);
        out[v] = static_cast<float>(sum);
      }
    });
  }

  void route(const RouteCall& call) override {
    const RoutingRule& rule = call.rule;
    const float* logits = at(call.logits, call.rows * rule.experts);
    for (int64_t r = 0; r < call.rows; ++r) {
      // Groups by the sum of their two best, then experts; of equal ones the lower number.
      std::vector<std::pair<double, int32_t>> groups, experts;
      auto choice = [&](int64_t e) {
        const float score =
            1 / (1 + std::exp(-logits[r * rule.experts + e]));  // float32: ties are part of the rule
        return double{call.bias == nullptr ? score : score + at(call.bias, rule.experts)[e]};
      };
      const int64_t size = rule.experts / rule.groups;
      for (int64_t g = 0; g < rule.groups; ++g) {
        std::vector<double> best;
        for (int64_t e = g * size; e < (g + 1) * size; ++e) best.push_back(choice(e));
        std::ranges::sort(best, std::greater());
        groups.emplace_back(-(best[0] + (size > 1 ? best[1] : 0)), static_cast<int32_t>(g));
      }
      std::ranges::sort(groups);
      for (int64_t k = 0; k < rule.chosen_groups; ++k) {
        for (int64_t e = groups[k].second * size; e < (groups[k].second + 1) * size; ++e) {
          experts.emplace_back(-choice(e), static_cast<int32_t>(e));
        }
      }
      std::ranges::sort(experts);
      std::set<int32_t> chosen;
      for (int64_t k = 0; k < rule.chosen; ++k) chosen.insert(experts[k].second);
      double sum = 0;
      for (const int32_t e : chosen) sum += sigmoid(logits[r * rule.experts + e]);
      int64_t place = r * rule.chosen;
      for (const int32_t e : chosen) {
        at(call.experts, call.rows * rule.chosen)[place] = e;
        const double score = sigmoid(logits[r * rule.experts + e]) * rule.scale;
        at(call.weights, call.rows * rule.chosen)[place++] =
            static_cast<float>(rule.normalise ? score / sum : score);
      }
    }
  }

  void assign(const AssignCall& call) override {
    const int64_t pairs = call.rows * call.chosen;
    const int32_t* experts = at(call.experts, pairs);
    int32_t place = 0;
    for (int32_t e = 0; e < call.expert_count; ++e) {
      at(call.begin, call.expert_count + 1)[e] = place;
      for (int64_t p = 0; p < pairs; ++p) {
        if (experts[p] != e) continue;
        at(call.pair_row, pairs)[place] = static_cast<int32_t>(p / call.chosen);
        at(call.pair_of, pairs)[p] = place++;
      }
    }
    at(call.begin, call.expert_count + 1)[call.expert_count] = place;
  }

  void sum_experts(const ExpertSumCall& call) override {
    const int64_t pairs = call.rows * call.chosen, columns = call.columns;
    float* out = at(call.out, call.rows * columns);
    const float* weights = at(call.weights, pairs);
    const float* results = at(call.results, pairs * columns);
    const int32_t* pair_of = at(call.pair_of, pairs);
    for (int64_t i = 0; i < call.rows * columns; ++i) {
      double sum = call.accumulate ? out[i] : 0;
      for (int64_t k = 0; k < call.chosen; ++k) {
        const int64_t p = i / columns * call.chosen + k;
        sum += double{weights[p]} * results[pair_of[p] * columns + i % columns];
      }
      out[i] = static_cast<float>(sum);
    }
  }

  void product(const Product& call, int64_t rows, int64_t columns) override {
    const int64_t depth = call.depth;
    if (rows == 0 || columns == 0 || depth == 0) return;
    Matrix stored;
    if (call.weights != nullptr) stored = decoded(*call.weights);
    const float* a = at(call.a, (rows - 1) * call.a_row + (depth - 1) * call.a_depth + 1);
    const float* b = call.weights != nullptr
                         ? nullptr
                         : at(call.b, (depth - 1) * call.b_depth + (columns - 1) * call.b_column + 1);
    float* c = at(call.c, (rows - 1) * call.c_row + columns);
    const auto right = [&](int64_t k, int64_t j) -> double {
      if (b != nullptr) return b[k * call.b_depth + j * call.b_column];
      return call.transposed ? stored(call.first_weight_row + j, k) : stored(call.first_weight_row + k, j);
    };
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        double sum = call.accumulate ? c[i * call.c_row + j] : 0;
        for (int64_t k = 0; k < depth; ++k) sum += double{a[i * call.a_row + k * call.a_depth]} * right(k, j);
        c[i * call.c_row + j] = static_cast<float>(sum);
      }
    }
  }

  void copy(float* to, const float* from, int64_t count) override {
    memory().copy(to, from, static_cast<size_t>(count) * sizeof(float));
  }
  void add(float* x, const float* y, int64_t count) override {
    float* to = at(x, count);
    const float* from = at(y, count);
    for (int64_t i = 0; i < count; ++i) to[i] += from[i];
  }
  void scale(float* x, float factor, int64_t count) override {
    float* to = at(x, count);
    for (int64_t i = 0; i < count; ++i) to[i] *= factor;
  }

  void dropout(const DropoutCall& call) override {
    std::vector<float> factors(call.columns);
    for (int64_t r = 0; r < call.rows; ++r) {
      dropout_factors(call.dropout, call.term, (call.first_row + r) * call.columns, call.columns,
                      factors.data());
      const float* x = at(call.x + r * call.x_stride, call.columns);
      float* out = at(call.out + r * call.out_stride, call.columns);
      for (int64_t c = 0; c < call.columns; ++c) {
        out[c] = x[c] * factors[c] + (call.accumulate ? out[c] : 0);
      }
    }
  }

  void magnitude(const MagnitudeCall& call) override {
    for (int64_t i = 0; i < call.rows * call.outputs; ++i) {
      const int64_t o = i % call.outputs;
      float* out = at(call.out + i / call.outputs * call.out_stride + o, 1);
      const float bias = call.bias == nullptr ? 0 : at(call.bias, call.outputs)[o];
      const float direction = *out - bias;
      if (call.direction != nullptr) *at(call.direction + i, 1) = direction;
      *out = *at(call.magnitude + o, 1) / *at(call.norms + o, 1) * direction + bias;
    }
  }

  void log_probs(const LogProbsCall& call) override {
    for (int64_t r = 0; r < call.rows; ++r) {
      float* logits = at(call.logits + r * call.vocabulary, call.vocabulary);
      const double temperature = call.temperature;
      const auto is_drawable = [&](int64_t i) {
        if (call.kept.empty() || call.kept[r].empty()) return i < call.known;
        return std::ranges::find(call.kept[r], static_cast<int32_t>(i)) != call.kept[r].end();
      };
      double largest = -INFINITY, sum = 0;
      for (int64_t i = 0; i < call.vocabulary; ++i) {
        if (is_drawable(i)) largest = std::max(largest, logits[i] / temperature);
      }
      for (int64_t i = 0; i < call.vocabulary; ++i) {
        if (is_drawable(i)) sum += std::exp(logits[i] / temperature - largest);
      }
      const double log_sum = largest + std::log(sum);
      call.log_probs[r] = static_cast<float>(logits[call.targets[r]] / temperature - log_sum);
      if (call.coefficients.empty()) continue;
      for (int64_t i = 0; i < call.vocabulary; ++i) {
        const double probability = is_drawable(i) ? std::exp(logits[i] / temperature - log_sum) : 0;
        logits[i] = static_cast<float>(call.coefficients[r] / temperature *
                                       ((i == call.targets[r] ? 1 : 0) - probability));
      }
    }
  }

 protected:
  /// A decoded matrix, or a head's part of one.
  struct Matrix {
    std::vector<double> values;
    int64_t columns = 0;
    int64_t first_row = 0;
    bool transposed = false;

    double operator()(int64_t row, int64_t column) const {
      return transposed ? values[(first_row + column) * columns + row]
                        : values[(first_row + row) * columns + column];
    }
  };

  template <typename T>
  T* at(T* address, int64_t count) const {
    return count == 0 ? nullptr : fenced_.here(address, count);
  }

  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

  static Activations rows_of(const float* values, int64_t rows, int64_t columns) {
    Activations out;
    out.values = values;
    out.rows = rows;
    out.columns = out.stride = columns;
    return out;
  }

  static void norm_row(const float* x, const float* weight, int64_t columns, float epsilon, float* out) {
    double squares = 0;
    for (int64_t c = 0; c < columns; ++c) squares += double{x[c]} * x[c];
    const double root = std::sqrt(squares / static_cast<double>(columns) + double{epsilon});
    for (int64_t c = 0; c < columns; ++c) out[c] = static_cast<float>(x[c] / root * weight[c]);
  }

  void rotate_head(RopeStyle style, const RopeTable& table, int64_t row, bool back, float* head) const {
    const float* cosines = at(table.cosines + row * table.pairs, table.pairs);
    const float* sines = at(table.sines + row * table.pairs, table.pairs);
    for (int64_t i = 0; i < table.pairs; ++i) {
      float& a = head[style == RopeStyle::interleaved ? 2 * i : i];
      float& b = head[style == RopeStyle::interleaved ? 2 * i + 1 : i + table.pairs];
      const double cosine = cosines[i], sine = back ? -sines[i] : sines[i];
      const double x = a, y = b;
      a = static_cast<float>(x * cosine - y * sine);
      b = static_cast<float>(x * sine + y * cosine);
    }
  }

  std::vector<double> row_of(const Weight& weight, int64_t row) const {
    std::vector<float> values(weight.inputs);
    const float* scales = weight.block_scales;  // their number is the type's business: one address is checked
    if (scales != nullptr) scales = at(scales, 1);
    dequantise_matrix_row(weight.dtype,
                          at(weight.data + static_cast<size_t>(row) * weight.row_bytes,
                             static_cast<int64_t>(row_bytes(weight.dtype, weight.inputs))),
                          scales, row, weight.inputs, 0, values);
    return {values.begin(), values.end()};
  }

  Matrix decoded(const Weight& weight) const {
    Matrix out;
    out.columns = weight.inputs;
    for (int64_t row = 0; row < weight.outputs; ++row) {
      const std::vector<double> values = row_of(weight, row);
      out.values.insert(out.values.end(), values.begin(), values.end());
    }
    return out;
  }

  void run(const LinearJob& job) {
    const Linear& layer = *job.layer;
    for (int64_t o = job.output_begin; o < job.output_end; ++o) {
      const std::vector<double> weight = row_of(layer.weight, o);
      const double bias = layer.bias.is_present() ? *at(layer.bias.values + o, 1) : 0;
      for (int64_t r = 0; r < job.input.rows; ++r) {
        const float* x = at(job.input.values + r * job.input.stride, layer.inputs());
        double sum = bias;
        for (int64_t i = 0; i < layer.inputs(); ++i) sum += weight[i] * x[i];
        *at(job.output + r * job.output_stride + o - job.output_begin, 1) = static_cast<float>(sum);
      }
    }
  }

  template <typename Body>
  void for_each_layer(const GroupedJob& group, const Body& body) {
    const int32_t* begin = at(group.begin, std::ssize(group.layers) + 1);
    for (size_t e = 0; e < group.layers.size(); ++e) {
      const int64_t rows = begin[e + 1] - begin[e];
      if (rows == 0) continue;
      body(e, begin[e], rows, group.input.values + (group.same_row ? 0 : begin[e] * group.input.columns));
    }
  }

  // body(row, head, weight) with weight(c, l): of the keys for absorb, of the values else.
  template <typename Body>
  void for_each_head(const LatentCall& call, bool keys, const Body& body) {
    const LatentHeads& d = call.heads;
    const LatentProjections& projections = *call.projections;
    Matrix together;
    if (!projections.apart()) together = decoded(projections.together.weight);
    for (int64_t h = 0; h < d.heads; ++h) {
      Matrix weight =
          projections.apart() ? decoded((keys ? projections.keys : projections.values)[h].weight) : together;
      weight.transposed = projections.apart() && keys;
      if (!projections.apart()) weight.first_row = h * (d.plain + d.value) + (keys ? 0 : d.plain);
      for (int64_t r = 0; r < call.rows; ++r) body(r, h, weight);
    }
  }

  std::vector<float> cached(const CachePlane& plane, const SequenceRows& sequence, int64_t position,
                            int64_t head, int64_t columns, int64_t block_tokens) const {
    const int64_t block = sequence.blocks[position / block_tokens];
    const std::byte* row = plane.data + block * plane.block_stride +
                           position % block_tokens * plane.token_bytes + head * plane.head_bytes;
    std::vector<float> values(columns);
    dequantise_row(plane.dtype, at(row, static_cast<int64_t>(row_bytes(plane.dtype, columns))), values);
    return values;
  }

 private:
  FencedMemory& fenced_;
};

}  // namespace r1::test
