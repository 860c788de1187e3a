#include "engine/known_tokens.h"

#include <algorithm>

#include "base/error.h"
#include "formats/vocabulary.h"

namespace r1 {

bool KnownTokens::contains(int32_t token) const {
  return token >= 0 && (limit < 0 || token < limit) && !std::ranges::binary_search(holes, token);
}

KnownTokens known_tokens(const Vocabulary& vocabulary, int64_t rows) {
  const auto is_known = [&](int64_t row) {
    const auto id = static_cast<int32_t>(row);
    return vocabulary.tokenizer.is_token(id) ||
           std::ranges::find(vocabulary.end_of_generation, id) != vocabulary.end_of_generation.end();
  };
  KnownTokens result;
  result.limit = rows;
  while (result.limit > 0 && !is_known(result.limit - 1)) --result.limit;
  if (result.limit == 0) {
    throw_error(ErrorKind::bad_file, "vocabulary: expected tokens among the model's {} rows, found none",
                rows);
  }
  for (int64_t row = 0; row < result.limit; ++row) {
    if (!is_known(row)) result.holes.push_back(static_cast<int32_t>(row));
  }
  return result;
}

}  // namespace r1
