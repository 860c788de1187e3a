#include "train/data/data_set.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "base/error.h"
#include "tests/train/data_files.h"

namespace r1 {
namespace {

using ::testing::HasSubstr;

class DataSetTest : public DataFiles {
 protected:
  DataSet load(const std::string& name, const std::string& text, TrainingStage stage = TrainingStage::sft,
               int64_t length = 64, LongSamples long_samples = LongSamples::refuse) {
    DataSetOptions options;
    options.files = {write(name, text)};
    options.stage = stage;
    options.sequence_length = length;
    options.long_samples = long_samples;
    ThreadPool pool(2);
    return load_data_set(options, renderer(), pool);
  }
  static std::string many(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += R"({"question": "q)" + std::to_string(i) + R"(", "think": ")" +
              std::string(static_cast<size_t>(i % 17), 'x') + R"(", "answer": "a"})" + "\n";
    }
    return text;
  }
};

TEST_F(DataSetTest, LongSamplesAreRefusedByNameOrDroppedOrCutOnRequest) {
  const std::string text = many(17);
  try {
    load("a.jsonl", text, TrainingStage::sft, 20);
    ADD_FAILURE() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::context_overflow);
    EXPECT_THAT(error.what(), HasSubstr("a.jsonl:"));
    EXPECT_THAT(error.what(), HasSubstr("expected at most 20"));
  }
  const DataSet dropped = load("a.jsonl", text, TrainingStage::sft, 20, LongSamples::drop);
  EXPECT_GT(dropped.dropped, 0);
  EXPECT_EQ(dropped.samples.size() + static_cast<size_t>(dropped.dropped), 17U);
  const DataSet cut = load("a.jsonl", text, TrainingStage::sft, 20, LongSamples::cut);
  EXPECT_EQ(cut.samples.size(), 17U);
  EXPECT_EQ(cut.cut, dropped.dropped);
}

TEST_F(DataSetTest, APairThatIsEqualBehindTheCutIsDropped) {
  const std::string yes(60, 'y');
  const std::string text = R"({"prompt": "p", "chosen": ")" + yes + R"(good", "rejected": ")" + yes +
                           R"(bad"})" + "\n" + R"({"prompt": "p", "chosen": "a", "rejected": "b"})";
  const DataSet data = load("a.jsonl", text, TrainingStage::dpo, 30, LongSamples::cut);
  EXPECT_EQ(data.samples.size(), 1U);
  EXPECT_EQ(data.dropped, 1);
  EXPECT_EQ(data.cut, 0);
}

TEST_F(DataSetTest, ALabelColumnIsPassedOverWhereNoLabelsAreTrained) {
  const std::string text = R"({"question": "q", "answer": "a", "label": 1})";
  EXPECT_EQ(load("a.jsonl", text).samples.size(), 1U);
  EXPECT_EQ(load("a.jsonl", text, TrainingStage::kto).samples.size(), 1U);
}

TEST_F(DataSetTest, SamplesWithoutThinkingAreCounted) {
  const DataSet data = load("a.jsonl", R"({"question": "q", "answer": "a"}
{"question": "q", "think": "t", "answer": "a"}
{"question": "r", "answer": "a"})");
  EXPECT_EQ(data.without_thinking, 2);
}

TEST_F(DataSetTest, APairOfWhichOneAnswerIsCutOffIsDropped) {
  // Without reasoning the prompt is longer, as the closed block is a part of it.
  const std::string text = R"({"prompt": "p", "chosen": "<think>t</think>c", "rejected": "r"})";
  int kept = 0, dropped = 0;
  for (int64_t length = 4; length < 40; ++length) {
    try {
      const DataSet data = load("a.jsonl", text, TrainingStage::dpo, length, LongSamples::cut);
      for (const TokenSequence* sequence : {&data.samples[0].sequence, &data.samples[0].rejected})
        EXPECT_NE(std::count(sequence->trained.begin(), sequence->trained.end(), 1), 0) << length;
      ++kept;
    } catch (const Error&) {
      ++dropped;  // the only one
    }
  }
  EXPECT_GT(kept, 10);
  EXPECT_GT(dropped, 3);
}

TEST_F(DataSetTest, SamplesOfOneABatchKeepToItsRowsToo) {
  const auto data = std::make_shared<const DataSet>(load("a.jsonl", many(17)));
  BatchOptions options;
  options.packing = Packing::none;
  options.rows = 20;
  try {
    make_batches(data, TrainingStage::sft, options);
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("expected at most 20 (batch_tokens)"));
  }
}

TEST_F(DataSetTest, AnswersOfOneConversationAreEvaluatedOrTrainedTogether) {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += R"({"question": "q)" + std::to_string(i) +
            R"(", "think": "t", "answer": "a", "history": [["x", "y"]]})"
            "\n";
  }
  DataSetOptions options;
  options.files = {write("a.jsonl", text)};
  options.sequence_length = 100;
  options.turns = TrainedTurns::all;
  ThreadPool pool(2);
  DataSet data = load_data_set(options, renderer(), pool);
  ASSERT_EQ(data.samples.size(), 40U);  // the template drops earlier reasoning: one for each answer
  const DataSet taken = data.split_off(0.3, 1);
  EXPECT_EQ(taken.samples.size(), 12U);
  std::set<std::string> trained;
  for (const TrainingSample& sample : data.samples) trained.insert(sample.source);
  for (const TrainingSample& sample : taken.samples)
    EXPECT_FALSE(trained.contains(sample.source)) << sample.source;
}

TEST_F(DataSetTest, OneSampleCannotBePartedForEvaluation) {
  DataSet data = load("a.jsonl", many(1));
  EXPECT_THROW(data.split_off(0.5, 1), Error);
}

TEST_F(DataSetTest, AStageRefusesFormsThatItCannotUse) {
  const std::string pair = R"({"prompt": "p", "chosen": "c", "rejected": "r"})", triple = many(1);
  EXPECT_THROW(load("a.jsonl", triple, TrainingStage::dpo), Error);
  EXPECT_THROW(load("a.jsonl", pair, TrainingStage::sft), Error);
  EXPECT_THROW(load("a.jsonl", triple, TrainingStage::pretrain), Error);
  EXPECT_THROW(load("a.jsonl", triple, TrainingStage::kto), Error);
  EXPECT_THROW(load("a.jsonl", "\n", TrainingStage::sft), Error);
  EXPECT_EQ(load("a.jsonl", pair, TrainingStage::reward).samples.size(), 1U);
}

TEST_F(DataSetTest, EveryEpochHasEverySampleOnceAndBatchesKeepToTheirRows) {
  const auto data = std::make_shared<const DataSet>(load("a.jsonl", many(100)));
  for (const Packing packing : {Packing::none, Packing::sequential, Packing::first_fit}) {
    BatchOptions options;
    options.packing = packing;
    options.rows = 128;
    options.samples = 3;
    const auto source = make_batches(data, TrainingStage::sft, options);
    int64_t rows = 0;
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      std::multiset<int64_t> seen;
      for (int64_t i = 0; i < source->batches(epoch); ++i) {
        const TrainingBatch batch = source->batch(epoch, i);
        EXPECT_TRUE(packing == Packing::none ? batch.sequences.size() <= 3 : batch.rows() <= 128);
        EXPECT_EQ(batch.targets.size(), batch.tokens.size());
        int64_t next = 0;
        for (const PackedSequence& sequence : batch.sequences) {
          EXPECT_EQ(sequence.first_row, next);
          next += sequence.rows;
          seen.insert(sequence.sample);
          const TokenSequence& original = data->samples[static_cast<size_t>(sequence.sample)].sequence;
          for (int64_t row = 0; row < sequence.rows; ++row) {
            const auto at = static_cast<size_t>(sequence.first_row + row), r = static_cast<size_t>(row);
            ASSERT_EQ(batch.tokens[at], original.tokens[r]);
            const bool counts = row + 1 < sequence.rows && original.trained[r + 1] != 0;
            ASSERT_EQ(batch.targets[at], counts ? original.tokens[r + 1] : -1);
          }
        }
        EXPECT_EQ(next, batch.rows());
        rows += batch.rows();
      }
      EXPECT_EQ(seen.size(), 100U);
      EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 100U);
    }
    EXPECT_EQ(rows, 3 * data->tokens);
  }
}

TEST_F(DataSetTest, FirstFitNeedsNoMoreBatchesThanSequential) {
  const auto data = std::make_shared<const DataSet>(load("a.jsonl", many(300)));
  BatchOptions options;
  options.rows = 64;
  options.packing = Packing::sequential;
  const int64_t sequential = make_batches(data, TrainingStage::sft, options)->batches(0);
  options.packing = Packing::first_fit;
  const int64_t first_fit = make_batches(data, TrainingStage::sft, options)->batches(0);
  EXPECT_LT(first_fit, sequential);
  EXPECT_LE(first_fit, data->tokens * 10 / 9 / 64 + 2) << "nine tenths full";
}

TEST_F(DataSetTest, BatchesDependOnSeedAndEpochAloneAndTheFingerprintOnWhatMakesThem) {
  const auto data = std::make_shared<const DataSet>(load("a.jsonl", many(50)));
  BatchOptions options;
  options.rows = 100;
  const auto a = make_batches(data, TrainingStage::sft, options),
             b = make_batches(data, TrainingStage::sft, options);
  b->batch(7, 0);  // what was asked before makes no difference
  EXPECT_EQ(a->batch(3, 1).tokens, b->batch(3, 1).tokens);
  EXPECT_NE(a->batch(0, 0).tokens, a->batch(1, 0).tokens);
  EXPECT_EQ(a->fingerprint(), b->fingerprint());
  options.seed = 2;
  const auto c = make_batches(data, TrainingStage::sft, options);
  EXPECT_NE(c->fingerprint(), a->fingerprint());
  EXPECT_NE(c->batch(0, 0).tokens, a->batch(0, 0).tokens);
  DataSet changed = *data;
  changed.samples[9].sequence.trained[3] ^= 1;
  options.seed = 1;
  EXPECT_NE(
      make_batches(std::make_shared<const DataSet>(changed), TrainingStage::sft, options)->fingerprint(),
      a->fingerprint());
}

TEST_F(DataSetTest, PairsStayTogether) {
  const auto data =
      std::make_shared<const DataSet>(load("a.jsonl", R"({"prompt": "p", "chosen": "c", "rejected": "r"}
{"prompt": "q", "chosen": "cc", "rejected": "rr"})",
                                           TrainingStage::dpo));
  BatchOptions options;
  options.rows = 256;
  const TrainingBatch batch = make_batches(data, TrainingStage::dpo, options)->batch(0, 0);
  ASSERT_EQ(batch.sequences.size(), 4U);
  for (size_t i = 0; i < 4; i += 2) {
    EXPECT_EQ(batch.sequences[i].label, 1);
    EXPECT_EQ(batch.sequences[i + 1].label, 0);
    EXPECT_EQ(batch.sequences[i].sample, batch.sequences[i + 1].sample);
  }
}

TEST_F(DataSetTest, TextIsCutIntoWindowsThatTogetherAreAllOfIt) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += R"({"text": "document number )" + std::to_string(i) + R"("})" + "\n";
  const auto data = std::make_shared<const DataSet>(load("a.jsonl", text, TrainingStage::pretrain, 16));
  BatchOptions options;
  options.rows = 40;  // two windows
  const auto source = make_batches(data, TrainingStage::pretrain, options);
  std::map<int32_t, int64_t> counts, expected;
  for (const TrainingSample& sample : data->samples)
    for (const int32_t token : sample.sequence.tokens) ++expected[token];
  for (int64_t i = 0; i < source->batches(0); ++i) {
    const TrainingBatch batch = source->batch(0, i);
    EXPECT_LE(batch.rows(), 32);
    for (const PackedSequence& sequence : batch.sequences) {
      EXPECT_LE(sequence.rows, 16);
      EXPECT_EQ(batch.targets[static_cast<size_t>(sequence.first_row + sequence.rows - 1)], -1);
      EXPECT_EQ(batch.targets[static_cast<size_t>(sequence.first_row)],
                batch.tokens[static_cast<size_t>(sequence.first_row + 1)]);
    }
    for (const int32_t token : batch.tokens) ++counts[token];
  }
  int64_t missing = 0;
  for (const auto& [token, count] : expected) missing += count - counts[token];
  EXPECT_LE(missing, 1) << "a last token alone predicts nothing";
}

TEST_F(DataSetTest, TheEvaluationPartIsTakenOutOfTheTrainingPart) {
  DataSet data = load("a.jsonl", many(100));
  const int64_t tokens = data.tokens;
  const DataSet evaluation = data.split_off(0.1, 3);
  EXPECT_EQ(evaluation.samples.size(), 10U);
  EXPECT_EQ(data.samples.size(), 90U);
  EXPECT_EQ(data.tokens + evaluation.tokens, tokens);
  std::set<std::string> sources;
  for (const DataSet* part : {static_cast<const DataSet*>(&data), &evaluation})
    for (const TrainingSample& sample : part->samples) EXPECT_TRUE(sources.insert(sample.source).second);
}

TEST_F(DataSetTest, RefusesSamplesThatNoBatchCanHold) {
  const auto data = std::make_shared<const DataSet>(load("a.jsonl", many(20)));
  BatchOptions options;
  options.rows = 20;
  EXPECT_THROW(make_batches(data, TrainingStage::sft, options), Error);
  options.rows = 0;
  EXPECT_THROW(make_batches(data, TrainingStage::sft, options), Error);
}

}  // namespace
}  // namespace r1
