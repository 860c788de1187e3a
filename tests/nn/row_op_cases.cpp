// Ops that copy rows and look things up, and stored tables.
#include "nn/elementwise.h"
#include "nn/linear.h"
#include "tensor/codec.h"
#include "tests/nn/op_cases.h"

namespace r1::op_cases {
namespace {

constexpr int64_t kRows = 6, kColumns = 19;
const std::vector<int32_t> kChosen{4, 0, 5, 5};

Doubles chosen_rows(const Doubles& from) {
  Doubles out;
  for (const int32_t row : kChosen)
    out.insert(out.end(), from.begin() + row * kColumns, from.begin() + (row + 1) * kColumns);
  return out;
}

Case rows_case(const char* name, bool of_activations) {
  Case test_case;
  test_case.name = name;
  test_case.has_gradient = of_activations;
  test_case.inputs = {{"x", kRows * kColumns}};
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    const int64_t count = std::ssize(kChosen);
    const int32_t* rows = upload(context, kChosen);
    if (of_activations)
      return {{{gather_rows(context, floats(in[0], kRows, kColumns), rows, count).values, count * kColumns}},
              {}};
    float* out = context.arena().allocate<float>(count * kColumns);
    context.backend().take_rows(out, in[0], rows, count, kColumns);
    return {{{out, count * kColumns}}, {}};
  };
  test_case.reference = [](const AllDoubles& in) { return chosen_rows(in[0]); };
  return test_case;
}

Case rope_table_case() {
  static const std::vector<int32_t> kPositions{0, 1, 31, 4095, 131071};
  constexpr int64_t kPairs = 8;
  const auto rope = [] {
    RopeFrequencies frequencies = plain_rope(2 * kPairs, 10000);
    frequencies.magnitude = 1.25;
    return frequencies;
  };
  Case test_case;
  test_case.name = "RopeTable";
  test_case.has_gradient = false;
  test_case.tolerance = 1e-6;  // angles of 131,071 radians are computed in double
  test_case.run = [=](Context& context, const std::vector<float*>&) -> Ran {
    const RopeTable table = make_rope_table(context, rope(), kPositions);
    const int64_t count = std::ssize(kPositions) * kPairs;
    return {{{table.cosines, count}, {table.sines, count}}, {}};
  };
  test_case.reference = [=](const AllDoubles&) {
    Doubles cosines, sines;
    for (const int32_t position : kPositions) {
      for (int64_t pair = 0; pair < kPairs; ++pair) {
        const double angle = position * std::pow(10000.0, -static_cast<double>(pair) / kPairs);
        cosines.push_back(1.25 * std::cos(angle));
        sines.push_back(1.25 * std::sin(angle));
      }
    }
    cosines.insert(cosines.end(), sines.begin(), sines.end());
    return cosines;
  };
  return test_case;
}

Case stored_embed_case(DType dtype) {
  constexpr int64_t kTokens = 7, kWidth = 256;
  static const std::vector<int32_t> kTaken{3, 0, 6, 3};
  auto bytes = std::make_shared<std::vector<std::byte>>(row_bytes(dtype, kWidth) * kTokens);
  quantise_row(dtype, {constants(kTokens * kWidth, 60), static_cast<size_t>(kTokens * kWidth)},
               bytes->data());
  Case test_case;
  test_case.name = "EmbedOf" + std::string(name(dtype));
  test_case.has_gradient = false;
  test_case.stored = dtype;
  test_case.run = [=](Context& context, const std::vector<float*>&) -> Ran {
    const Weight table{stored_on_device(context, *bytes), dtype,   kTokens, kWidth,
                       row_bytes(dtype, kWidth),          nullptr, {}};
    float* out = context.arena().allocate<float>(std::ssize(kTaken) * kWidth);
    embed(context, table, kTaken, out);
    return {{{out, std::ssize(kTaken) * kWidth}}, {}};
  };
  test_case.reference = [=](const AllDoubles&) {
    Doubles out;
    std::vector<float> row(kWidth);
    for (const int32_t token : kTaken) {
      dequantise_row(dtype, bytes->data() + static_cast<size_t>(token) * row_bytes(dtype, kWidth), row);
      out.insert(out.end(), row.begin(), row.end());
    }
    return out;
  };
  return test_case;
}

Case scale_case() {
  Case test_case;
  test_case.name = "Scale";
  test_case.has_gradient = false;
  test_case.inputs = {{"x", 37}};
  test_case.run = [](Context& context, const std::vector<float*>& in) -> Ran {
    context.backend().scale(in[0], -0.75F, 37);
    return {{{in[0], 37}}, {}};
  };
  test_case.reference = [](const AllDoubles& in) {
    Doubles out = in[0];
    for (double& value : out) value *= -0.75;
    return out;
  };
  return test_case;
}

Case combine_case() {
  Case test_case;
  test_case.name = "Combine";
  test_case.has_gradient = false;
  test_case.inputs = {{"x", 20000}, {"y", 20000}};
  test_case.run = [](Context& context, const std::vector<float*>& in) -> Ran {
    context.backend().combine({in[0], 0.75F, in[0], -1.5F, in[1], 20000});
    return {{{in[0], 20000}}, {}};
  };
  test_case.reference = [](const AllDoubles& in) {
    Doubles out = in[0];
    for (size_t i = 0; i < out.size(); ++i) out[i] = 0.75 * out[i] - 1.5 * in[1][i];
    return out;
  };
  return test_case;
}

Case sum_of_squares_case() {
  Case test_case;
  test_case.name = "SumOfSquares";
  test_case.has_gradient = false;
  test_case.inputs = {{"x", 20000}, {"y", 3}};
  test_case.run = [](Context& context, const std::vector<float*>& in) -> Ran {
    const FloatArray arrays[] = {{in[0], 20000}, {in[1], 3}, {in[0], 0}};
    float* sum = context.arena().allocate_host<float>(1);
    *sum = static_cast<float>(context.backend().sum_of_squares(arrays));
    return {{{sum, 1, true}}, {}};
  };
  test_case.reference = [](const AllDoubles& in) {
    double sum = 0;
    for (const Doubles& values : in) {
      for (const double value : values) sum += value * value;
    }
    return Doubles{sum};
  };
  return test_case;
}

// Two tensors of other rates, with and without decay; moments in float32.
Case adam_case() {
  constexpr int64_t kCounts[] = {20000, 5};
  Case test_case;
  test_case.name = "Adam";
  test_case.has_gradient = false;
  for (const int64_t count : kCounts) {
    for (const char* name : {"values", "gradient", "mean"}) test_case.inputs.push_back({name, count});
    test_case.inputs.push_back({"square", count, false, 0.01, 1});
  }
  test_case.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    AdamTensor tensors[2];
    Ran ran;
    for (size_t i = 0; i < 2; ++i) {
      AdamMoment mean, square;
      mean.values = in[4 * i + 2];
      square.values = in[4 * i + 3];
      tensors[i] = {
          in[4 * i], in[4 * i + 1], mean, square, kCounts[i], i == 0 ? 0.25F : 0.5F, i == 0 ? 0.125F : 0.0F};
      for (const size_t changed : {0, 2, 3}) ran.outputs.push_back({in[4 * i + changed], kCounts[i]});
    }
    AdamCall call;
    call.tensors = tensors;
    call.beta1 = 0.75F;
    call.beta2 = 0.875F;
    call.epsilon = 0.0625F;
    call.correction1 = 2;
    call.correction2 = 4;
    call.gradient_factor = 0.5F;
    context.backend().adam(call);
    return ran;
  };
  test_case.reference = [=](const AllDoubles& in) {
    Doubles out;
    for (size_t i = 0; i < 2; ++i) {
      const double rate = i == 0 ? 0.25 : 0.5, decay = i == 0 ? 0.125 : 0;
      Doubles values = in[4 * i], mean = in[4 * i + 2], square = in[4 * i + 3];
      for (size_t k = 0; k < values.size(); ++k) {
        const double gradient = 0.5 * in[4 * i + 1][k];
        mean[k] = 0.75 * mean[k] + 0.25 * gradient;
        square[k] = 0.875 * square[k] + 0.125 * gradient * gradient;
        values[k] = values[k] * (1 - rate * decay) - rate * 2 * mean[k] / (std::sqrt(4 * square[k]) + 0.0625);
      }
      for (const Doubles* changed : {&values, &mean, &square})
        out.insert(out.end(), changed->begin(), changed->end());
    }
    return out;
  };
  return test_case;
}

}  // namespace

std::vector<Case> row_cases() {
  std::vector<Case> cases{rows_case("GatherRows", true),
                          rows_case("TakeRows", false),
                          rope_table_case(),
                          scale_case(),
                          combine_case(),
                          sum_of_squares_case(),
                          adam_case()};
  for (const DType dtype : {DType::bf16, DType::q8_0, DType::q4_k, DType::q6_k})
    cases.push_back(stored_embed_case(dtype));
  return cases;
}

}  // namespace r1::op_cases
