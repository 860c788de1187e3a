// The ops of dense models, attention aside.
#include <numeric>

#include "nn/adapter.h"
#include "nn/cross_entropy.h"
#include "nn/elementwise.h"
#include "tensor/codec.h"
#include "tests/nn/op_cases.h"

namespace r1::op_cases {

Case linear_case(int64_t rows, int64_t outputs, int64_t inputs) {
  Case test_case;
  test_case.name = "LinearOf" + std::to_string(rows) + "Rows";
  test_case.multiplications = static_cast<double>(rows * outputs * inputs);
  test_case.inputs = {{"x", rows * inputs}, {"weight", outputs * inputs, true}, {"bias", outputs, true}};
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    auto* layer = context.arena().allocate_host<Linear>(1);
    *layer = {float_matrix(in[1], outputs, inputs), float_vector(in[2])};
    float* y = context.arena().allocate<float>(rows * outputs);
    linear(context, *layer, floats(in[0], rows, inputs), y);
    return {{{y, rows * outputs}}, {}};
  };
  test_case.reference = [=](const AllDoubles& in) {
    Doubles y(rows * outputs);
    for (int64_t i = 0; i < rows * outputs; ++i) y[i] = in[2][i % outputs];
    add_product(in[0].data(), in[1].data(), rows, outputs, inputs, y.data());
    return y;
  };
  return test_case;
}

Case stored_linear_case(DType dtype, int64_t rows, int64_t outputs, int64_t inputs) {
  auto bytes = std::make_shared<std::vector<std::byte>>(row_bytes(dtype, inputs) * outputs);
  const float* values = constants(outputs * inputs, 40);
  for (int64_t o = 0; o < outputs; ++o) {
    quantise_row(dtype, {values + o * inputs, static_cast<size_t>(inputs)},
                 bytes->data() + static_cast<size_t>(o) * row_bytes(dtype, inputs));
  }
  const Weight weight{bytes->data(), dtype, outputs, inputs, row_bytes(dtype, inputs), nullptr, {}};
  Case test_case;
  test_case.name = "LinearOf" + std::string(name(dtype));
  test_case.stored = dtype;
  test_case.multiplications = static_cast<double>(rows * outputs * inputs);
  test_case.inputs = {{"x", rows * inputs}};
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    auto* layer = context.arena().allocate_host<Linear>(1);
    *layer = {weight, {}};
    layer->weight.data = stored_on_device(context, *bytes);
    float* y = context.arena().allocate<float>(rows * outputs);
    linear(context, *layer, floats(in[0], rows, inputs), y);
    return {{{y, rows * outputs}}, {}};
  };
  test_case.reference = [=, keep = bytes](const AllDoubles& in) {
    Doubles w, y(rows * outputs);
    std::vector<float> row(inputs);
    for (int64_t o = 0; o < outputs; ++o) {
      dequantise_row(dtype, weight.data + static_cast<size_t>(o) * weight.row_bytes, row);
      w.insert(w.end(), row.begin(), row.end());
    }
    add_product(in[0].data(), w.data(), rows, outputs, inputs, y.data());
    return y;
  };
  return test_case;
}

Case embed_case() {
  constexpr int64_t kVocabulary = 9, kColumns = 70;
  static const std::vector<int32_t> kTokens{3, 0, 8, 3, 3};
  Case test_case;
  test_case.name = "Embed";
  test_case.inputs = {{"table", kVocabulary * kColumns, true}};
  test_case.run = [](Context& context, const std::vector<float*>& in) -> Ran {
    const auto count = static_cast<int64_t>(kTokens.size()) * kColumns;
    float* out = context.arena().allocate<float>(count);
    embed(context, float_matrix(in[0], kVocabulary, kColumns), kTokens, out);
    return {{{out, count}}, {}};
  };
  test_case.reference = [](const AllDoubles& in) {
    Doubles out;
    for (const int32_t token : kTokens) {
      out.insert(out.end(), in[0].begin() + token * kColumns, in[0].begin() + (token + 1) * kColumns);
    }
    return out;
  };
  return test_case;
}

Case low_rank_case(LowRank kind) {
  constexpr int64_t kRows = 4, kOutputs = 23, kInputs = 19, kRank = 3;
  const float* weight = constants(kOutputs * kInputs, 50);
  const float* bias = constants(kOutputs, 51);
  float* norms = constants(kOutputs, 52);
  for (int64_t o = 0; o < kOutputs; ++o) norms[o] = 2 + norms[o];
  const bool has_magnitude = kind == LowRank::magnitude;
  const Dropout dropout{kind == LowRank::dropout ? 0.4 : 0.0, 3};
  Case test_case;
  test_case.name = has_magnitude      ? "LowRankTermWithMagnitude"
                   : dropout.rate > 0 ? "LowRankTermWithDropout"
                                      : "LowRankTerm";
  test_case.inputs = {{"x", kRows * kInputs}, {"a", kRank * kInputs, true}, {"b", kOutputs * kRank, true}};
  if (has_magnitude) test_case.inputs.push_back({"magnitude", kOutputs, true});
  struct Parts {
    Adapter adapter;
    Linear layer;
  };
  auto parts = std::make_shared<Parts>();
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    *parts = {};
    parts->layer = {float_matrix(on_device(context, weight, kOutputs * kInputs), kOutputs, kInputs),
                    {on_device(context, bias, kOutputs), {}}};
    LowRankTerm term{in[1], in[2], kRank, 1.5F};
    term.a_gradient = trained_weight(in[1]).gradient;
    term.b_gradient = trained_weight(in[2]).gradient;
    term.number = 6;
    if (has_magnitude) {
      term.magnitude = in[3];
      term.magnitude_gradient = trained_weight(in[3]).gradient;
      term.norms = on_device(context, norms, kOutputs);
    }
    parts->adapter.add(parts->layer.weight.id, term);
    parts->adapter.set_dropout(dropout);
    const AdapterRun run{kRows, &parts->adapter};
    const AdapterRows rows{{&run, 1}, {&run, 1}};
    float* y = context.arena().allocate<float>(kRows * kOutputs);
    const AdapterScope adapters(context, &rows);
    linear(context, parts->layer, floats(in[0], kRows, kInputs), y);
    return {{{y, kRows * kOutputs}}, {}};
  };
  test_case.reference = [=](const AllDoubles& in) {
    const Doubles w(weight, weight + kOutputs * kInputs);
    Doubles seen = in[0], y(kRows * kOutputs), lowered(kRows * kRank);
    std::vector<float> factors(seen.size());
    dropout_factors(dropout, 6, 0, kRows * kInputs, factors.data());
    for (size_t i = 0; i < seen.size(); ++i) seen[i] *= factors[i];
    add_product(in[0].data(), w.data(), kRows, kOutputs, kInputs, y.data());
    add_product(seen.data(), in[1].data(), kRows, kRank, kInputs, lowered.data());
    for (double& value : lowered) value *= 1.5;
    add_product(lowered.data(), in[2].data(), kRows, kOutputs, kRank, y.data());
    for (int64_t i = 0; i < kRows * kOutputs; ++i) {
      const int64_t o = i % kOutputs;
      if (has_magnitude) y[i] *= in[3][o] / norms[o];
      y[i] += bias[o];
    }
    return y;
  };
  return test_case;
}

Case norm_case(int64_t rows, int64_t columns, bool with_addend) {
  constexpr float kEpsilon = 1e-2F;
  Case test_case;
  test_case.name = with_addend ? "AddRmsNorm" : "RmsNorm";
  test_case.inputs = {{"x", rows * columns}, {"weight", columns, true}};
  if (with_addend) test_case.inputs.push_back({"addend", rows * columns});
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    const Activations out = add_rms_norm(context, in[0], with_addend ? in[2] : nullptr, float_vector(in[1]),
                                         rows, columns, kEpsilon);
    return {{{in[0], rows * columns}, {out.values, rows * columns}}, {}};
  };
  test_case.reference = [=](const AllDoubles& in) {
    Doubles x = in[0];
    if (with_addend) {
      for (size_t i = 0; i < x.size(); ++i) x[i] += in[2][i];
    }
    Doubles out = x;
    for (int64_t r = 0; r < rows; ++r) {
      double sum = 0;
      for (int64_t c = 0; c < columns; ++c) sum += x[r * columns + c] * x[r * columns + c];
      const double root = std::sqrt(sum / static_cast<double>(columns) + double{kEpsilon});
      for (int64_t c = 0; c < columns; ++c) out.push_back(x[r * columns + c] / root * in[1][c]);
    }
    return out;
  };
  return test_case;
}

Case addition_case(int64_t count) {
  Case test_case;
  test_case.name = "AddInPlace";
  test_case.inputs = {{"x", count}, {"addend", count}};
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    add_in_place(context, in[0], in[1], count);
    return {{{in[0], count}}, {}};
  };
  test_case.reference = [=](const AllDoubles& in) {
    Doubles out = in[0];
    for (int64_t i = 0; i < count; ++i) out[i] += in[1][i];
    return out;
  };
  return test_case;
}

Case swiglu_case(int64_t rows, int64_t columns) {
  Case test_case;
  test_case.name = "Swiglu";
  test_case.inputs = {{"gate", rows * columns, false, -4, 4}, {"up", rows * columns}};
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    const Activations out = swiglu(context, in[0], in[1], rows, columns);
    return {{{out.values, rows * columns}}, {}};
  };
  test_case.reference = [](const AllDoubles& in) {
    Doubles out;
    for (size_t i = 0; i < in[0].size(); ++i) out.push_back(silu(in[0][i]) * in[1][i]);
    return out;
  };
  return test_case;
}

Case rotation_case(RopeStyle style, int64_t rows, int64_t heads, int64_t columns, bool by_number) {
  std::vector<int32_t> positions{0, 1, 2, 0, 7};
  while (std::ssize(positions) < rows) positions.push_back(static_cast<int32_t>(positions.size()));
  positions.resize(static_cast<size_t>(rows));
  Case test_case;
  test_case.name = style == RopeStyle::interleaved ? "RotationInterleaved" : "RotationOfHalves";
  if (by_number) test_case.name += "ByNumber";
  std::vector<int32_t> numbers(static_cast<size_t>(rows)), of_table = positions;
  std::iota(numbers.rbegin(), numbers.rend(), 0);
  if (by_number) std::reverse(of_table.begin(), of_table.end());
  test_case.inputs = {{"x", rows * heads * columns}};
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    RopeFrequencies rope = plain_rope(columns, 100);
    rope.magnitude = 1.25;
    const RopeTable table = make_rope_table(context, rope, of_table);
    const int32_t* table_rows = by_number ? upload(context, numbers) : nullptr;
    const RotateCall call{style, table, table_rows, in[0], rows, heads, columns, heads * columns};
    rotate(context, {&call, 1});
    return {{{in[0], rows * heads * columns}}, {}};
  };
  test_case.reference = [=](const AllDoubles& in) {
    RopeFrequencies rope = plain_rope(columns, 100);
    rope.magnitude = 1.25;
    Doubles out = in[0];
    for (int64_t i = 0; i < rows * heads; ++i) {
      rotate_plainly(style, rope, positions[i / heads], out.data() + i * columns);
    }
    return out;
  };
  return test_case;
}

Case log_probs_case(const std::string& name, float temperature, int64_t known,
                    const std::vector<std::vector<int32_t>>& kept) {
  constexpr int64_t kRows = 6, kColumns = 10, kVocabulary = 35;
  static const std::vector<int32_t> kTargets{3, -1, 32, 0, 3, -1};
  Case test_case;
  test_case.name = name;
  test_case.inputs = {{"hidden", kRows * kColumns}, {"output", kVocabulary * kColumns, true}};
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    const Linear output{float_matrix(in[1], kVocabulary, kColumns), {}};
    float* log_probs = context.arena().allocate_host<float>(kRows);
    token_log_probs(context, output, in[0], kTargets, log_probs, {temperature, known, kept});
    return {{{log_probs, kRows, true}}, [=, &context](Tape& tape, const float* derivatives) {
              token_log_probs_backward(context, tape, output, in[0], kTargets, derivatives, nullptr,
                                       {temperature, known, kept});
            }};
  };
  test_case.reference = [=](const AllDoubles& in) {
    Doubles out(kRows);
    for (int64_t r = 0; r < kRows; ++r) {
      if (kTargets[r] < 0) continue;
      Doubles logits(kVocabulary);
      add_product(in[0].data() + r * kColumns, in[1].data(), 1, kVocabulary, kColumns, logits.data());
      std::vector<int32_t> tokens = kept.empty() ? std::vector<int32_t>() : kept[r];
      if (tokens.empty()) {
        tokens.resize(known < 0 ? kVocabulary : known);
        std::iota(tokens.begin(), tokens.end(), 0);
      }
      double sum = 0;
      for (const int32_t token : tokens) sum += std::exp(logits[token] / temperature);
      out[r] = logits[kTargets[r]] / temperature - std::log(sum);
    }
    return out;
  };
  return test_case;
}

std::vector<Case> dense_cases() {
  std::vector<Case> cases{
      embed_case(),
      linear_case(5, 33, 40),
      linear_case(70, 20, 9),
      low_rank_case(LowRank::plain),
      low_rank_case(LowRank::dropout),
      low_rank_case(LowRank::magnitude),
      norm_case(67, 18, false),
      norm_case(67, 18, true),
      addition_case(37),
      swiglu_case(3, 21),
      rotation_case(RopeStyle::interleaved, 5, 2, 12),
      rotation_case(RopeStyle::half_split, 5, 2, 12),
      rotation_case(RopeStyle::half_split, 5, 2, 12, true),
      log_probs_case("TokenLogProbs"),
      log_probs_case("TokenLogProbsOfKnownTokensAtATemperature", 0.7F, 33),
      log_probs_case("TokenLogProbsOfKeptTokens", 1.3F, 34, {{1, 3, 30}, {}, {}, {0}, {3, 4}, {7}})};
  for (const DType dtype : {DType::bf16, DType::f16}) cases.push_back(stored_linear_case(dtype, 3, 21, 50));
  for (const DType dtype : {DType::q8_0, DType::q4_k}) {
    cases.push_back(stored_linear_case(dtype, 3, 21, info(dtype).block_elements * 2));
  }
  for (const DType dtype : {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q2_k, DType::q3_k,
                            DType::q5_k, DType::q6_k}) {
    cases.push_back(stored_linear_case(dtype, 3, 21, 256));
    cases.back().has_gradient = false;  // as of q4_k: central differences of all types would take long
  }
  return cases;
}

}  // namespace r1::op_cases
