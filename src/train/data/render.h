// Samples as token sequences with the trained tokens marked, by the model's own chat template.
//
// An answer is rendered as the model would have to write it: the prompt is the template's own, up to and with
// its generation prompt, tokenised alone as in inference; behind it comes what the model generates, tokenised
// alone, with the token that ends the turn. Where the vocabulary has <think>, the prompt ends with
// "<think>\n" and the answer begins inside: reasoning, "\n</think>\n\n", content. An answer without reasoning
// (none, not an empty one) has the closed block in its prompt, as `r1 run --no-think` has it, and does not
// train it.
//
// Text that has the template applied already stays as it is: a `text` column, and a prompt that begins with
// one of the template's control tokens. Control tokens in it are tokens; begin and end are not written twice.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "train/data/data_sample.h"
#include "train/sample.h"

namespace r1 {

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
  /// The token that ends an answer in the template; nothing without a template.
  std::optional<int32_t> end_token() const;
  /// The chat template with a prompt that closes the thinking block itself, as answers without reasoning are trained;
  /// empty where the vocabulary has no <think>, or there is no template.
  std::string template_without_thinking() const;

  /// Control tokens written in the texts of a conversation, which become tokens: "turn 2: <｜User｜>". One that
  /// ends a turn inside an answer comes with "inside an answer": the model would learn to go on behind it.
  struct ControlToken {
    std::string place;
    bool ends_turn_of_answer = false;
  };
  std::vector<ControlToken> control_tokens_in(const DataSample& sample) const;

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
  void find_turn_starts();
  bool is_rendered_prompt(std::string_view text) const;
  bool ends_with_end(const std::vector<int32_t>& tokens) const;
  std::string_view without_end(std::string_view answer) const;

  Tokenizer tokenizer_;
  std::vector<ChatTemplate> templates_;  // the model's; for R1's family also the one that shows tools
  std::vector<int32_t> ends_;
  std::string end_;                   // the text that ends an answer
  std::optional<int32_t> end_token_;  // the last token of it
  std::vector<int32_t> turn_starts_;  // control tokens before a user's text in the template's prompt
  bool thinks_ = false;               // the vocabulary has <think> and </think>
};

}  // namespace r1
