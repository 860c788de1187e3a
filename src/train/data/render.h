// Samples as token sequences with the trained tokens marked, by the model's own chat template.
//
// An answer is rendered as the model would have to write it: the prompt is the template's own, up to and with
// its generation prompt, tokenised alone as in inference; behind it comes what the model generates, tokenised
// alone, with the token that ends the turn. Where the vocabulary has <think>, the prompt ends with
// "<think>\n" and the answer begins inside: reasoning, "\n</think>\n\n", content. An answer without reasoning
// (none, not an empty one) has the closed block in its prompt, as `r1 run --no-think` has it, and does not
// train it.
#pragma once

#include <string>
#include <vector>

#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "train/data/data_sample.h"
#include "train/sample.h"

namespace r1 {

enum class TrainedTurns {
  last,  // the last answer of a conversation
  all,   // every answer of the assistant
};

/// Const; safe to use from several threads at once.
class SampleRenderer {
 public:
  /// `chat_template`: empty for text data only. `end_of_turn`: the tokens of which one ends an answer.
  /// Throws Error for a template that does not parse, or that ends an answer with none of these tokens.
  SampleRenderer(Tokenizer tokenizer, const std::string& chat_template, std::vector<int32_t> end_of_turn);

  /// The sequences of one sample: one; with TrainedTurns::all one for each answer where the template drops
  /// earlier reasoning, so that no single text holds every answer as it is generated. Throws Error naming
  /// the place for what the template cannot render.
  std::vector<TrainingSample> render(const DataSample& sample, TrainedTurns turns) const;

  const Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  struct Answer;
  Answer render_answer(const DataSample& sample, size_t turns_before, const ChatMessage& answer) const;
  std::string render_turns(const DataSample& sample, size_t count, const ChatMessage* extra,
                           bool prompt) const;
  const ChatTemplate& template_for(const DataSample& sample) const;
  void append(TokenSequence& sequence, std::string_view text, bool trained) const;
  TokenSequence make_sequence(const Answer& answer) const;
  TrainingSample render_text(const DataSample& sample) const;
  void find_end();

  Tokenizer tokenizer_;
  std::vector<ChatTemplate> templates_;  // the model's; for R1's family also the one that shows tools
  std::vector<int32_t> ends_;
  std::string end_;      // the text that ends an answer
  bool thinks_ = false;  // the vocabulary has <think> and </think>
};

}  // namespace r1
