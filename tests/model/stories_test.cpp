// A real, trained model tells its story, from file to text.
#include <gtest/gtest.h>

#include <algorithm>

#include "formats/vocabulary.h"
#include "tests/model/model_runner.h"
#include "tests/shared_folder.h"

namespace r1 {
namespace {

TEST(StoriesTest, GreedyTextIsThePublishedOne) {
  R1_REQUIRE_SHARED("models/stories260k-f32.gguf");
  const auto path = shared_path("models/stories260k-f32.gguf");
  const Vocabulary vocabulary = load_vocabulary(*ModelFile::open(path));
  for (Arithmetic arithmetic : {Arithmetic::exact, Arithmetic::fast}) {
    ModelRunner runner(path, arithmetic, arithmetic == Arithmetic::exact ? DType::f32 : DType::f16);
    std::vector<int32_t> ids{vocabulary.bos.value()};
    vocabulary.tokenizer.encode("Once upon a time", true, ids);
    const size_t prompt = ids.size();
    std::vector<int32_t> blocks{0, 1, 2, 3, 4, 5};
    std::vector<float> logits(runner.vocabulary());
    size_t done = 0;
    const std::string expected =
        ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw a "
        "big, red ball.";
    std::string text;
    while (text.size() < expected.size() && ids.size() < 180) {
      const std::vector<int32_t> last{static_cast<int32_t>(ids.size() - done - 1)};
      const SequenceSlice slice{static_cast<int64_t>(ids.size() - done), static_cast<int64_t>(done), blocks};
      runner.model().forward(runner.context(), {std::span(ids).subspan(done), {&slice, 1}, last},
                             runner.cache(), logits.data());
      done = ids.size();
      ids.push_back(static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
      text.clear();
      for (size_t i = prompt; i < ids.size(); ++i) text += vocabulary.tokenizer.token_bytes(ids[i]);
    }
    EXPECT_EQ(text.substr(0, expected.size()), expected);
  }
}

}  // namespace
}  // namespace r1
