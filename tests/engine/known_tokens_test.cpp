// Models with more rows than their vocabulary has tokens: such a row is never generated.
#include "engine/known_tokens.h"

#include <gtest/gtest.h>

#include <string>

#include "formats/vocabulary.h"
#include "tests/engine/engine_fixture.h"
#include "tests/shared_folder.h"

namespace r1 {
namespace {

/// Letters from id 3, of GGUF's types: 1 normal, 2 unknown, 3 control, 5 unused.
Vocabulary vocabulary_of_types(const std::vector<int32_t>& types, std::vector<int32_t> ends) {
  VocabularyData data;
  data.model = "llama";
  data.types = types;
  std::vector<std::string> pieces;
  for (size_t id = 0; id < types.size(); ++id) pieces.push_back(fmt::format("piece{}", id));
  for (size_t id = 0; id < types.size(); ++id) {
    data.pieces.push_back(pieces[id]);
    data.scores.push_back(-static_cast<float>(id));
  }
  data.unknown = 0;
  Tokenizer tokenizer = Tokenizer::from_vocabulary(data);
  return {std::move(tokenizer), "", {}, {}, std::move(ends), {}, {}, {}};
}

TEST(KnownTokensTest, PaddingIsNotAToken) {
  // As in a GGUF of a padded model: the last ids are pieces of the type "unused".
  KnownTokens known = known_tokens(vocabulary_of_types({2, 3, 3, 1, 1, 5, 5}, {2}), 7);
  EXPECT_EQ(known.limit, 5);
  EXPECT_TRUE(known.holes.empty());
  // As in a hub directory: the tokenizer ends before the rows do.
  known = known_tokens(vocabulary_of_types({2, 3, 3, 1, 1}, {2}), 64);
  EXPECT_EQ(known.limit, 5);
  // A hole, and one that ends answers, whatever its type.
  known = known_tokens(vocabulary_of_types({2, 3, 3, 5, 1, 5, 1, 5, 5, 5}, {2, 8}), 12);
  EXPECT_EQ(known.limit, 9);
  EXPECT_EQ(known.holes, (std::vector<int32_t>{3, 5, 7}));
  EXPECT_TRUE(known.contains(8));
  EXPECT_FALSE(known.contains(5));
  EXPECT_FALSE(known.contains(9));
  EXPECT_FALSE(known.contains(-1));
  EXPECT_TRUE(KnownTokens().contains(1000)) << "by default, all rows are tokens";
}

TEST(KnownTokensTest, AVocabularyOfPaddingIsRefused) {
  try {
    (void)known_tokens(vocabulary_of_types({2, 5, 5}, {}), 0);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_file);
  }
}

class UnknownRowsTest : public testing::Test {
 protected:
  UnknownRowsTest() {
    options_ = fixture_.options(20);
    options_.known_tokens = {.limit = 20, .holes = {6}};
    fixture_.model->on_logits = [](float* logits) { logits[6] = logits[20] = logits[22] = 50; };
  }

  void expect_known(const std::vector<int32_t>& tokens) const {
    for (const int32_t token : tokens) EXPECT_TRUE(options_.known_tokens.contains(token)) << token;
  }

  EngineFixture fixture_;
  EngineOptions options_;
};

TEST_F(UnknownRowsTest, AreNotGenerated) {
  Engine engine(fixture_.model, fixture_.context, options_);
  for (const float temperature : {0.0F, 0.6F, 100.0F}) {
    for (const int32_t speculation : {0, 8}) {
      Answer answer;
      Request request{.prompt = {1, 2, 3, 20, 6, 22, 1, 2, 3, 20, 6, 22, 1, 2, 3}};  // look-up proposes them
      request.max_tokens = 100;
      request.speculation = speculation;
      request.sampling.temperature = temperature;
      request.sampling.top_p = 1;
      request.sampling.top_log_probabilities = 4;
      request.sampling.repetition_penalty = 1.1F;
      submit(engine, request, answer);
      engine.run();
      ASSERT_EQ(answer.tokens.size(), 100U);
      expect_known(answer.tokens);
      for (const SampledToken& sampled : answer.sampled) {
        for (const TokenProbability& top : sampled.top) expect_known({top.token});
      }
    }
  }
}

TEST_F(UnknownRowsTest, AreNotGeneratedUnderAConstraint) {
  Engine engine(fixture_.model, fixture_.context, options_);
  uint64_t mask = 0;
  Answer answer;
  Request request{.prompt = {1, 2, 3}};
  request.max_tokens = 50;
  request.constraint = [&](std::span<const int32_t> generated) {
    mask =
        generated.size() < 20 ? 0x7000C1 : 0x700040;  // 0, 6, 7, 20, 21, 22; then only those without a text
    return std::span<const uint64_t>(&mask, 1);
  };
  submit(engine, request, answer);
  engine.run();
  EXPECT_EQ(answer.tokens.size(), 20U);
  expect_known(answer.tokens);
  EXPECT_EQ(answer.summary->reason, FinishReason::error);
  EXPECT_EQ(answer.summary->error, "position 23: no token is allowed (of 20)");
}

TEST_F(UnknownRowsTest, AreRefusedInAForcedClosing) {
  Engine engine(fixture_.model, fixture_.context, options_);
  for (const int32_t unknown : {6, 20}) {
    Request request{.prompt = {1, 2, 3}};
    request.thinking = {.starts_inside = true, .open_token = 3, .close_token = 4, .budget = 2};
    request.thinking.closing = {unknown, 4};
    try {
      engine.submit(request);
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()),
                fmt::format("thinking.closing: expected tokens that the vocabulary has, found {}", unknown));
    }
  }
}

TEST_F(UnknownRowsTest, OptionsThatMakeNoSenseAreRefused) {
  for (const KnownTokens& wrong :
       {KnownTokens{.limit = 0}, KnownTokens{.limit = 24}, KnownTokens{.limit = 20, .holes = {20}},
        KnownTokens{.limit = 20, .holes = {3, 3}}, KnownTokens{.limit = 20, .holes = {-1}}}) {
    options_.known_tokens = wrong;
    EXPECT_THROW(Engine(fixture_.model, fixture_.context, options_), Error);
  }
}

TEST(PaddedModelTest, GeneratesOnlyTokensThatItsVocabularyHas) {
  // A hub directory as Qwen2.5's: config.json has more rows than tokenizer.json has tokens.
  const std::string path = "cases/run/02-padded-ids/q-base";
  R1_REQUIRE_SHARED(path);
  const std::shared_ptr<const ModelFile> file = ModelFile::open(shared_path(path));
  const std::shared_ptr<const Model> model = load_model(file);
  const Vocabulary vocabulary = load_vocabulary(*file);
  ASSERT_LT(vocabulary.tokenizer.size(), model->info().vocabulary);
  ThreadPool pool(2);
  Context context(pool, kernels::select_kernels(), Arithmetic::fast);
  EngineOptions options;
  options.context_length = std::min<int64_t>(model->info().context_length, 256);
  options.known_tokens = known_tokens(vocabulary, model->info().vocabulary);
  Engine engine(model, context, options);
  for (uint64_t seed = 0; seed < 25; ++seed) {
    Request request{.prompt = vocabulary.tokenizer.encode("hello 123", false)};
    request.max_tokens = 100;
    request.sampling.temperature = 100;
    request.sampling.top_p = 1;
    request.sampling.seed = seed;
    Answer answer;
    submit(engine, request, answer);
    engine.run();
    EXPECT_EQ(answer.summary->reason, FinishReason::length) << answer.summary->error;
    for (const int32_t token : answer.tokens) ASSERT_TRUE(vocabulary.tokenizer.is_token(token)) << token;
  }
}

}  // namespace
}  // namespace r1
