// Attention over a paged cache.
#include "nn/attention.h"

#include "nn/linear.h"
#include "tensor/codec.h"
#include "tests/nn/op_cases.h"

namespace r1::op_cases {
namespace {

constexpr int64_t kBlockTokens = 32;

/// Where the rows of a shape's sequences are. The cache's blocks are handed out from the last one on.
struct Layout {
  explicit Layout(const AttentionShape& shape) {
    for (const AttentionShape::Sequence& sequence : shape.sequences) {
      const int64_t length = sequence.first_position + sequence.rows;
      first_key.push_back(keys);
      first_query.push_back(queries);
      keys += length;
      queries += sequence.rows;
      blocks += (length + kBlockTokens - 1) / kBlockTokens;
    }
    int64_t next = blocks;
    for (const AttentionShape::Sequence& sequence : shape.sequences) {
      std::vector<int32_t>& list = blocks_of.emplace_back();
      for (int64_t p = 0; p < sequence.first_position + sequence.rows; ++p) {
        if (p % kBlockTokens == 0) list.push_back(static_cast<int32_t>(--next));
        row_blocks.push_back(list.back());
        row_tokens.push_back(static_cast<int32_t>(p % kBlockTokens));
      }
    }
  }
  int64_t keys = 0, queries = 0, blocks = 0;
  std::vector<int64_t> first_key, first_query;
  std::vector<std::vector<int32_t>> blocks_of;
  std::vector<int32_t> row_blocks, row_tokens;
};

/// Heads of `columns` values as a reader of the cache sees them.
Doubles as_cached(DType dtype, const Doubles& values, int64_t columns) {
  if (dtype == DType::f32) return values;
  Doubles seen;
  std::vector<std::byte> stored(row_bytes(dtype, columns));
  std::vector<float> head(static_cast<size_t>(columns));
  for (size_t at = 0; at < values.size(); at += head.size()) {
    for (size_t c = 0; c < head.size(); ++c) head[c] = static_cast<float>(values[at + c]);
    quantise_row(dtype, head, stored.data());
    dequantise_row(dtype, stored.data(), head);
    seen.insert(seen.end(), head.begin(), head.end());
  }
  return seen;
}

Ran run_attention(const AttentionShape& shape, const Layout& layout, Context& context,
                  const std::vector<float*>& in) {
  Arena& arena = context.arena();
  const float* values = shape.shared ? in[1] : in[2];
  const auto plane = [&](int64_t columns) {
    const size_t head = row_bytes(shape.cache, columns),
                 token = static_cast<size_t>(shape.key_value_heads) * head;
    const auto bytes = static_cast<int64_t>(kBlockTokens * token) * layout.blocks;
    return CachePlane{arena.allocate<std::byte>(bytes), kBlockTokens * token, token, head, shape.cache};
  };
  AttentionCall call;
  call.heads = shape.heads;
  call.key_value_heads = shape.key_value_heads;
  call.key_columns = shape.key_columns;
  call.value_columns = shape.value_columns;
  call.scale = 1.3F / std::sqrt(static_cast<float>(shape.key_columns) / 6);
  call.window = shape.window;
  call.block_tokens = kBlockTokens;
  call.keys = plane(shape.key_columns);
  call.values = shape.shared ? call.keys : plane(shape.value_columns);
  const CachePlaces places{upload(context, layout.row_blocks), upload(context, layout.row_tokens)};
  const StoreCall stores[] = {
      {in[1], layout.keys, shape.key_value_heads, shape.key_columns, call.keys, places},
      {values, layout.keys, shape.key_value_heads, shape.value_columns, call.values, places}};
  store_rows(context, {stores, shape.shared ? 1U : 2U});
  auto* sequences = arena.allocate_host<SequenceRows>(std::ssize(shape.sequences));
  for (size_t s = 0; s < shape.sequences.size(); ++s) {
    sequences[s] = {shape.sequences[s].rows, shape.sequences[s].first_position, layout.blocks_of[s].data()};
  }
  const int64_t count = layout.queries * shape.heads * shape.value_columns;
  float* out = arena.allocate<float>(count);
  call.queries = in[0];
  call.output = out;
  call.sequences = {sequences, shape.sequences.size()};
  paged_attention(context, call);
  if (context.tape() != nullptr) record_attention(context, call, in[1], values);
  return {{{out, count}}, {}};
}

Doubles plain_attention(const AttentionShape& shape, const Layout& layout, const AllDoubles& in) {
  const int64_t heads = shape.heads, groups = shape.key_value_heads;
  const int64_t key = shape.key_columns, value = shape.value_columns, value_step = shape.shared ? key : value;
  const double scale = double{1.3F / std::sqrt(static_cast<float>(key) / 6)};
  const Doubles keys = as_cached(shape.cache, in[1], key);
  const Doubles values = shape.shared ? keys : as_cached(shape.cache, in[2], value);
  Doubles out(static_cast<size_t>(layout.queries * heads * value));
  for (size_t s = 0; s < shape.sequences.size(); ++s) {
    for (int64_t i = 0; i < shape.sequences[s].rows; ++i) {
      const int64_t position = shape.sequences[s].first_position + i;
      const int64_t first = shape.window > 0 ? std::max<int64_t>(0, position + 1 - shape.window) : 0;
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t group = h / (heads / groups), row = (layout.first_query[s] + i) * heads + h;
        Doubles probabilities;
        double sum = 0;
        for (int64_t p = first; p <= position; ++p) {
          double score = 0;
          for (int64_t c = 0; c < key; ++c) {
            score += in[0][row * key + c] * keys[((layout.first_key[s] + p) * groups + group) * key + c];
          }
          sum += probabilities.emplace_back(std::exp(scale * score));
        }
        for (int64_t p = first; p <= position; ++p) {
          const double* from = values.data() + ((layout.first_key[s] + p) * groups + group) * value_step;
          for (int64_t c = 0; c < value; ++c)
            out[row * value + c] += probabilities[p - first] / sum * from[c];
        }
      }
    }
  }
  return out;
}

}  // namespace

Case attention_case(const AttentionShape& shape) {
  const auto layout = std::make_shared<const Layout>(shape);
  Case test_case;
  test_case.name = shape.name;
  test_case.inputs = {{"queries", layout->queries * shape.heads * shape.key_columns},
                      {"keys", layout->keys * shape.key_value_heads * shape.key_columns}};
  if (!shape.shared)
    test_case.inputs.push_back({"values", layout->keys * shape.key_value_heads * shape.value_columns});
  test_case.has_gradient = shape.cache == DType::f32;
  for (const AttentionShape::Sequence& sequence : shape.sequences) {
    test_case.has_gradient &= sequence.first_position == 0;
    const double seen =
        static_cast<double>(sequence.first_position) + static_cast<double>(sequence.rows + 1) / 2;
    test_case.multiplications += static_cast<double>(sequence.rows * shape.heads) * seen *
                                 static_cast<double>(shape.key_columns + shape.value_columns);
  }
  // Eight bits and four: the queries are rounded as well, and a block's scale is chosen otherwise than by the codec.
  test_case.tolerance = shape.cache == DType::q8_0 ? 2e-2 : 1e-5;
  test_case.run = [=](Context& context, const std::vector<float*>& in) {
    return run_attention(shape, *layout, context, in);
  };
  test_case.reference = [=](const AllDoubles& in) { return plain_attention(shape, *layout, in); };
  return test_case;
}

std::vector<Case> attention_cases() {
  const std::vector<AttentionShape::Sequence> continued{{1, 70}, {3, 33}, {5, 0}, {1, 31}};
  return {
      attention_case({.name = "Attention"}),
      attention_case({.name = "AttentionInAWindow", .window = 20}),
      attention_case({.name = "AttentionWithValuesInKeys", .heads = 3, .key_value_heads = 1, .shared = true}),
      attention_case({.name = "AttentionToEarlierTokens", .sequences = continued}),
      attention_case({.name = "AttentionToEarlierTokensInAWindow", .window = 20, .sequences = continued}),
      attention_case({.name = "AttentionOverF16",
                      .key_columns = 48,
                      .value_columns = 32,
                      .cache = DType::f16,
                      .sequences = continued}),
      attention_case({.name = "AttentionOverQ8_0",
                      .key_columns = 64,
                      .value_columns = 64,
                      .cache = DType::q8_0,
                      .sequences = continued})};
}

}  // namespace r1::op_cases
