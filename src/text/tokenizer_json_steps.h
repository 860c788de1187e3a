// The parts of tokenizer.json around its model: normalizer, pre_tokenizer, decoder, post_processor. Every
// kind that is not known is refused by name. Private to src/text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "text/pre_tokenizer.h"
#include "text/sentencepiece_encoder.h"
#include "text/tokenizer_json_node.h"

namespace r1::tokenizer_json {

/// What happens to text before the model sees it.
struct TextSteps {
  bool nfc = false;
  std::vector<PreTokenizerStep> pre_tokenizer;  // of byte-level vocabularies
  bool marks_spaces = false;                    // writes spaces as U+2581: SentencePiece
  SpacePrefix prefix = SpacePrefix::never;      // of SentencePiece
};

/// Reads "normalizer" and "pre_tokenizer".
TextSteps read_text_steps(const Node& root);

/// Checks "decoder": it must be the inverse of the byte-level alphabet or, `marks_spaces`, of U+2581 and byte
/// tokens.
void check_decoder(const Node& root, bool marks_spaces);

/// The special tokens that the post-processor puts around one text.
struct Surroundings {
  std::optional<std::string> before;
  std::optional<std::string> after;
};
Surroundings read_post_processor(const Node& root);

}  // namespace r1::tokenizer_json
