// Any bytes as a training file, in every form: samples that render, or errors of one line. The first byte
// chooses the form of the file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "grade/boxed_answer.h"
#include "grade/trace_check.h"
#include "train/data/data_sample.h"
#include "train/data/render.h"
#include "train/data/tokenizer_trainer.h"

namespace {

r1::SampleRenderer make_renderer() {
  r1::TokenizerTrainer trainer;
  trainer.add("the question and the answer");
  r1::TokenizerTrainerOptions options;
  options.vocabulary_size = 280;
  const r1::TrainedTokenizer trained = trainer.train(options);
  return {r1::Tokenizer::from_hub(trained.tokenizer_json(), trained.tokenizer_config_json(512)),
          std::string(r1::kR1ToolTemplate),
          {1}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const r1::SampleRenderer renderer = make_renderer();
  static constexpr const char* names[] = {"a.jsonl", "a.json", "a.csv", "a.txt"};
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto one_line = [](const std::string& message) {
    if (message.find('\n') != std::string::npos || !message.starts_with("a.")) std::abort();
  };
  r1::parse_records(
      text, names[data[0] % 4],
      [&](const r1::Record& record) {
        try {
          const r1::DataSample sample = r1::make_data_sample(record, {});
          for (const r1::TrainingSample& result : renderer.render(sample, r1::TrainedTurns::all)) {
            if (result.sequence.tokens.size() != result.sequence.trained.size()) std::abort();
          }
        } catch (const r1::Error& error) {
          one_line(error.what());
        }
      },
      one_line);
  r1::grade::check_trace(text);
  r1::grade::boxed_answer(text);
  return 0;
}
