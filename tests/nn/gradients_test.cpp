// Every op of dense models that has a backward against central differences (op_cases.h).
#include "nn/adapter.h"
#include "nn/attention.h"
#include "nn/cross_entropy.h"
#include "nn/elementwise.h"
#include "nn/rope.h"
#include "tensor/codec.h"
#include "tests/nn/op_cases.h"

namespace r1 {
namespace {

using namespace op_cases;

Case linear_case(int64_t rows, int64_t outputs, int64_t inputs) {
  Case own;
  own.name = "LinearOf" + std::to_string(rows) + "Rows";
  own.inputs = {{"x", rows * inputs}, {"weight", outputs * inputs, true}, {"bias", outputs, true}};
  own.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    auto* layer = context.arena().allocate_host<Linear>(1);
    *layer = {float_matrix(in[1], outputs, inputs), float_vector(in[2])};
    float* y = context.arena().allocate<float>(rows * outputs);
    linear(context, *layer, floats(in[0], rows, inputs), y);
    return {{{y, rows * outputs}}, {}};
  };
  own.reference = [=](const AllDoubles& in) {
    Doubles y(rows * outputs);
    for (int64_t i = 0; i < rows * outputs; ++i) y[i] = in[2][i % outputs];
    add_product(in[0].data(), in[1].data(), rows, outputs, inputs, y.data());
    return y;
  };
  return own;
}

// A frozen weight of a stored type: the gradient goes through to the input.
Case stored_linear_case(DType dtype, int64_t inputs) {
  constexpr int64_t kRows = 3, kOutputs = 21;
  auto bytes = std::make_shared<std::vector<std::byte>>(row_bytes(dtype, inputs) * kOutputs);
  const float* values = constants(kOutputs * inputs, 40);
  for (int64_t o = 0; o < kOutputs; ++o) {
    quantise_row(dtype, {values + o * inputs, static_cast<size_t>(inputs)},
                 bytes->data() + static_cast<size_t>(o) * row_bytes(dtype, inputs));
  }
  const Weight weight{bytes->data(), dtype, kOutputs, inputs, row_bytes(dtype, inputs), nullptr, {}};
  Case own;
  own.name = "LinearOf" + std::string(name(dtype));
  own.inputs = {{"x", kRows * inputs}};
  own.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    auto* layer = context.arena().allocate_host<Linear>(1);
    *layer = {weight, {}};
    layer->weight.data = on_device(context, bytes->data(), std::ssize(*bytes));
    float* y = context.arena().allocate<float>(kRows * kOutputs);
    linear(context, *layer, floats(in[0], kRows, inputs), y);
    return {{{y, kRows * kOutputs}}, {}};
  };
  own.reference = [=, keep = bytes](const AllDoubles& in) {
    Doubles w, y(kRows * kOutputs);
    std::vector<float> row(inputs);
    for (int64_t o = 0; o < kOutputs; ++o) {
      dequantise_row(dtype, weight.data + static_cast<size_t>(o) * weight.row_bytes, row);
      w.insert(w.end(), row.begin(), row.end());
    }
    add_product(in[0].data(), w.data(), kRows, kOutputs, inputs, y.data());
    return y;
  };
  return own;
}

Case embed_case() {
  constexpr int64_t kVocabulary = 9, kColumns = 70;
  static const std::vector<int32_t> kTokens{3, 0, 8, 3, 3};
  Case own;
  own.name = "Embed";
  own.inputs = {{"table", kVocabulary * kColumns, true}};
  own.run = [](Context& context, const std::vector<float*>& in) -> Ran {
    const auto count = static_cast<int64_t>(kTokens.size()) * kColumns;
    float* out = context.arena().allocate<float>(count);
    embed(context, float_matrix(in[0], kVocabulary, kColumns), kTokens, out);
    return {{{out, count}}, {}};
  };
  own.reference = [](const AllDoubles& in) {
    Doubles out;
    for (const int32_t token : kTokens) {
      out.insert(out.end(), in[0].begin() + token * kColumns, in[0].begin() + (token + 1) * kColumns);
    }
    return out;
  };
  return own;
}

enum class LowRank { plain, dropout, magnitude };

Case low_rank_case(LowRank kind) {
  constexpr int64_t kRows = 4, kOutputs = 23, kInputs = 19, kRank = 3;
  const float* weight = constants(kOutputs * kInputs, 50);
  const float* bias = constants(kOutputs, 51);
  float* norms = constants(kOutputs, 52);
  for (int64_t o = 0; o < kOutputs; ++o) norms[o] = 2 + norms[o];
  const bool has_magnitude = kind == LowRank::magnitude;
  const Dropout dropout{kind == LowRank::dropout ? 0.4 : 0.0, 3};
  Case own;
  own.name = has_magnitude      ? "LowRankTermWithMagnitude"
             : dropout.rate > 0 ? "LowRankTermWithDropout"
                                : "LowRankTerm";
  own.inputs = {{"x", kRows * kInputs}, {"a", kRank * kInputs, true}, {"b", kOutputs * kRank, true}};
  if (has_magnitude) own.inputs.push_back({"magnitude", kOutputs, true});
  struct Parts {
    Adapter adapter;
    Linear layer;
  };
  auto parts = std::make_shared<Parts>();
  own.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
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
  own.reference = [=](const AllDoubles& in) {
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
  return own;
}

Case norm_case(bool with_addend) {
  constexpr int64_t kRows = 67, kColumns = 18;
  constexpr float kEpsilon = 1e-2F;
  Case own;
  own.name = with_addend ? "AddRmsNorm" : "RmsNorm";
  own.inputs = {{"x", kRows * kColumns}, {"weight", kColumns, true}};
  if (with_addend) own.inputs.push_back({"addend", kRows * kColumns});
  own.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    const Activations out = add_rms_norm(context, in[0], with_addend ? in[2] : nullptr, float_vector(in[1]),
                                         kRows, kColumns, kEpsilon);
    return {{{in[0], kRows * kColumns}, {out.values, kRows * kColumns}}, {}};
  };
  own.reference = [=](const AllDoubles& in) {
    Doubles x = in[0];
    if (with_addend) {
      for (size_t i = 0; i < x.size(); ++i) x[i] += in[2][i];
    }
    Doubles out = x;
    for (int64_t r = 0; r < kRows; ++r) {
      double sum = 0;
      for (int64_t c = 0; c < kColumns; ++c) sum += x[r * kColumns + c] * x[r * kColumns + c];
      const double root = std::sqrt(sum / kColumns + double{kEpsilon});
      for (int64_t c = 0; c < kColumns; ++c) out.push_back(x[r * kColumns + c] / root * in[1][c]);
    }
    return out;
  };
  return own;
}

Case addition_case() {
  constexpr int64_t kCount = 37;
  Case own;
  own.name = "AddInPlace";
  own.inputs = {{"x", kCount}, {"addend", kCount}};
  own.run = [](Context& context, const std::vector<float*>& in) -> Ran {
    add_in_place(context, in[0], in[1], kCount);
    return {{{in[0], kCount}}, {}};
  };
  own.reference = [](const AllDoubles& in) {
    Doubles out = in[0];
    for (int64_t i = 0; i < kCount; ++i) out[i] += in[1][i];
    return out;
  };
  return own;
}

Case swiglu_case() {
  constexpr int64_t kRows = 3, kColumns = 21;
  Case own;
  own.name = "Swiglu";
  own.inputs = {{"gate", kRows * kColumns, false, -4, 4}, {"up", kRows * kColumns}};
  own.run = [](Context& context, const std::vector<float*>& in) -> Ran {
    const Activations out = swiglu(context, in[0], in[1], kRows, kColumns);
    return {{{out.values, kRows * kColumns}}, {}};
  };
  own.reference = [](const AllDoubles& in) {
    Doubles out;
    for (size_t i = 0; i < in[0].size(); ++i) out.push_back(silu(in[0][i]) * in[1][i]);
    return out;
  };
  return own;
}

Case rotation_case(RopeStyle style) {
  constexpr int64_t kRows = 5, kHeads = 2, kColumns = 12;
  static const std::vector<int32_t> kPositions{0, 1, 2, 0, 7};
  Case own;
  own.name = style == RopeStyle::interleaved ? "RotationInterleaved" : "RotationOfHalves";
  own.inputs = {{"x", kRows * kHeads * kColumns}};
  own.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    RopeFrequencies rope = plain_rope(kColumns, 100);
    rope.magnitude = 1.25;
    const RopeTable table = make_rope_table(context, rope, kPositions);
    const RotateCall call{style, table, nullptr, in[0], kRows, kHeads, kColumns, kHeads * kColumns};
    rotate(context, {&call, 1});
    return {{{in[0], kRows * kHeads * kColumns}}, {}};
  };
  own.reference = [=](const AllDoubles& in) {
    RopeFrequencies rope = plain_rope(kColumns, 100);
    rope.magnitude = 1.25;
    Doubles out = in[0];
    for (int64_t i = 0; i < kRows * kHeads; ++i) {
      rotate_plainly(style, rope, kPositions[i / kHeads], out.data() + i * kColumns);
    }
    return out;
  };
  return own;
}

// Sequences of 3, 66 and 1 rows, for the edges of blocks of keys and of rows.
constexpr int64_t kSequenceRows[] = {3, 66, 1};
constexpr int64_t kAttentionRows = 70;

// Two query heads for each key/value head. `shared`: the values are the first columns of the keys (latent
// attention), one key/value head.
Case attention_case(bool shared) {
  constexpr int64_t kKey = 6, kValue = 4;
  const int64_t heads = shared ? 3 : 4, groups = shared ? 1 : 2;
  const float scale = 1.3F;
  Case own;
  own.name = shared ? "AttentionWithValuesInKeys" : "Attention";
  own.inputs = {{"queries", kAttentionRows * heads * kKey}, {"keys", kAttentionRows * groups * kKey}};
  if (!shared) own.inputs.push_back({"values", kAttentionRows * groups * kValue});
  own.run = [=](Context& context, const std::vector<float*>& in) -> Ran {
    Arena& arena = context.arena();
    const float* values = shared ? in[1] : in[2];
    const int64_t value_stride = shared ? kKey : groups * kValue;
    // Cache blocks of 32 tokens, each sequence in blocks of its own.
    constexpr int64_t kBlocks = 6;
    const int64_t key_row = groups * kKey;
    float* key_cache = arena.allocate<float>(kBlocks * 32 * key_row);
    float* value_cache = arena.allocate<float>(kBlocks * 32 * value_stride);
    int32_t* blocks = arena.allocate_host<int32_t>(kBlocks);
    auto* sequences = arena.allocate_host<SequenceRows>(3);
    float* out = arena.allocate<float>(kAttentionRows * heads * kValue);
    std::vector<int32_t> row_blocks, row_tokens;
    int64_t block = 0;
    for (int s = 0; s < 3; ++s) {
      sequences[s] = {kSequenceRows[s], 0, blocks + block};
      for (int64_t i = 0; i < kSequenceRows[s]; ++i) {
        row_blocks.push_back(static_cast<int32_t>(block + i / 32));
        row_tokens.push_back(static_cast<int32_t>(i % 32));
      }
      for (int64_t i = 0; i < kSequenceRows[s]; i += 32, ++block) blocks[block] = static_cast<int32_t>(block);
    }
    AttentionCall call;
    call.heads = heads;
    call.key_value_heads = groups;
    call.key_columns = kKey;
    call.value_columns = kValue;
    call.scale = scale;
    call.block_tokens = 32;
    const auto plane = [](float* data, int64_t stride, int64_t head) {
      const size_t token = stride * sizeof(float);
      return CachePlane{reinterpret_cast<std::byte*>(data), 32 * token, token, head * sizeof(float),
                        DType::f32};
    };
    call.keys = plane(key_cache, key_row, kKey);
    call.values = plane(value_cache, value_stride, kValue);
    const CachePlaces places{upload(context, row_blocks), upload(context, row_tokens)};
    const StoreCall stores[] = {
        {in[1], kAttentionRows, groups, kKey, call.keys, places},
        {values, kAttentionRows, groups, shared ? kKey : kValue, call.values, places}};
    store_rows(context, {stores, shared ? 1U : 2U});
    if (shared) call.values = call.keys;
    call.queries = in[0];
    call.output = out;
    call.sequences = {sequences, 3};
    paged_attention(context, call);
    record_attention(context, call, in[1], values);
    return {{{out, kAttentionRows * heads * kValue}}, {}};
  };
  own.reference = [=](const AllDoubles& in) {
    const Doubles& values = shared ? in[1] : in[2];
    const int64_t value_stride = shared ? kKey : groups * kValue;
    Doubles out(kAttentionRows * heads * kValue);
    int64_t first = 0;
    for (const int64_t rows : kSequenceRows) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t h = 0; h < heads; ++h) {
          const int64_t group = h / (heads / groups);
          Doubles probabilities(i + 1);
          double sum = 0;
          for (int64_t j = 0; j <= i; ++j) {
            double score = 0;
            for (int64_t c = 0; c < kKey; ++c) {
              score += in[0][((first + i) * heads + h) * kKey + c] *
                       in[1][((first + j) * groups + group) * kKey + c];
            }
            sum += probabilities[j] = std::exp(double{scale} * score);
          }
          for (int64_t j = 0; j <= i; ++j) {
            for (int64_t c = 0; c < kValue; ++c) {
              out[((first + i) * heads + h) * kValue + c] +=
                  probabilities[j] / sum * values[(first + j) * value_stride + group * kValue + c];
            }
          }
        }
      }
      first += rows;
    }
    return out;
  };
  return own;
}

Case log_probs_case() {
  constexpr int64_t kRows = 6, kColumns = 10, kVocabulary = 35;
  static const std::vector<int32_t> kTargets{3, -1, 34, 0, 3, -1};
  Case own;
  own.name = "TokenLogProbs";
  own.inputs = {{"hidden", kRows * kColumns}, {"output", kVocabulary * kColumns, true}};
  own.run = [](Context& context, const std::vector<float*>& in) -> Ran {
    const Linear output{float_matrix(in[1], kVocabulary, kColumns), {}};
    float* log_probs = context.arena().allocate_host<float>(kRows);
    token_log_probs(context, output, in[0], kTargets, log_probs);
    return {{{log_probs, kRows, true}}, [=, &context](Tape& tape, const float* derivatives) {
              token_log_probs_backward(context, tape, output, in[0], kTargets, derivatives, nullptr);
            }};
  };
  own.reference = [](const AllDoubles& in) {
    Doubles out(kRows);
    for (int64_t r = 0; r < kRows; ++r) {
      if (kTargets[r] < 0) continue;
      Doubles logits(kVocabulary);
      add_product(in[0].data() + r * kColumns, in[1].data(), 1, kVocabulary, kColumns, logits.data());
      double sum = 0;
      for (const double logit : logits) sum += std::exp(logit);
      out[r] = logits[kTargets[r]] - std::log(sum);
    }
    return out;
  };
  return own;
}

std::vector<Case> all_cases() {
  return {embed_case(),
          linear_case(5, 33, 40),
          linear_case(70, 20, 9),
          stored_linear_case(DType::bf16, 50),
          stored_linear_case(DType::f16, 50),
          stored_linear_case(DType::q8_0, 64),
          stored_linear_case(DType::q4_k, 256),
          low_rank_case(LowRank::plain),
          low_rank_case(LowRank::dropout),
          low_rank_case(LowRank::magnitude),
          norm_case(false),
          norm_case(true),
          addition_case(),
          swiglu_case(),
          rotation_case(RopeStyle::interleaved),
          rotation_case(RopeStyle::half_split),
          attention_case(false),
          attention_case(true),
          log_probs_case()};
}

class OpGradientsTest : public testing::TestWithParam<Case> {};

TEST_P(OpGradientsTest, AreTheCentralDifferences) {
  check_on_all_backends(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Ops, OpGradientsTest, testing::ValuesIn(all_cases()),
                         [](const auto& own) { return own.param.name; });

}  // namespace
}  // namespace r1
