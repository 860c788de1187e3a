#include "train/trained_model.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/safetensors.h"
#include "formats/vocabulary.h"
#include "tests/train/data_files.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using testing::Each;
using testing::HasSubstr;

class TrainedModelTest : public DataFiles {
 protected:
  TrainedModelTest() { options_.lora.rank = 2; }

  std::unique_ptr<TrainedModel> open(const fs::path& base, TrainingStage stage = TrainingStage::sft) {
    return std::make_unique<TrainedModel>(options_, base, stage, pool_);
  }
  std::string refusal(const fs::path& base, TrainingStage stage = TrainingStage::sft) {
    try {
      open(base, stage);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  /// The directory of a new model; of a reward model with a head that is `head` everywhere.
  fs::path make_base(float head = 0) {
    const auto made = open({}, head == 0 ? TrainingStage::sft : TrainingStage::reward);
    if (head != 0) fill(*made, head);
    made->write(folder_ / "base", "", SaveType::automatic, false);
    return folder_ / "base";
  }
  static void fill(TrainedModel& model, float head) {
    std::fill_n(model.score()->values, model.score()->count, head);
  }
  static std::vector<float> head_of(TrainedModel& model) {
    const Parameter* head = model.score();
    return {head->values, head->values + head->count};
  }

  TrainingOptions options_ = new_model_options(3);
  ThreadPool pool_{1};
};

TEST_F(TrainedModelTest, FreezeTrainsTheLastLayersAlone) {
  const fs::path base = make_base();
  options_.tuning = Tuning::freeze;
  options_.trained_layers = 2;
  const auto model = open(base);
  for (const Parameter& parameter : model->parameters().all()) {
    EXPECT_THAT(parameter.name, testing::AnyOf(HasSubstr("layers.1."), HasSubstr("layers.2.")));
  }
  options_.trained_layers = 3;  // all layers, and nothing that is not a layer
  EXPECT_EQ(open(base)->parameters().find("model.embed_tokens.weight"), nullptr);
  EXPECT_NE(open(base)->parameters().find("model.layers.0.self_attn.q_proj.weight"), nullptr);
  options_.trained_layers = 4;
  EXPECT_EQ(refusal(base), "trained_layers: expected 1 to 3, the model's layers, found 4");
  options_.tuning = Tuning::full;
  EXPECT_NE(open(base)->parameters().find("model.embed_tokens.weight"), nullptr);
}

TEST_F(TrainedModelTest, AnAdapterThatGoesOnKeepsItsDropoutUnlessAnotherIsAskedFor) {
  const fs::path base = make_base();
  options_.tuning = Tuning::lora;
  options_.lora.dropout = 0.25;
  open(base)->write(folder_ / "adapter", "base", SaveType::automatic, false);
  options_.adapter = (folder_ / "adapter").string();
  options_.lora.dropout = 0;
  EXPECT_EQ(open(base)->low_rank()->dropout, 0.25);
  options_.lora.dropout = 0.5;
  const auto model = open(base);
  EXPECT_EQ(model->low_rank()->dropout, 0.5);
  model->write(folder_ / "again", "base", SaveType::automatic, false);
  EXPECT_EQ(nlohmann::json::parse(std::ifstream(folder_ / "again/adapter_config.json"))["lora_dropout"], 0.5);
}

TEST_F(TrainedModelTest, ANewRewardModelBeginsAtZeroAndSaysWhatItIs) {
  const fs::path base = make_base();
  const auto model = open(base, TrainingStage::reward);
  EXPECT_THAT(head_of(*model), Each(0.0F));
  fill(*model, 0.5F);
  model->write(folder_ / "reward", "", SaveType::automatic, false);
  const auto config = nlohmann::json::parse(std::ifstream(folder_ / "reward/config.json"));
  EXPECT_EQ(config["architectures"], nlohmann::json({"Qwen2ForSequenceClassification"}));
  EXPECT_EQ(config["id2label"].size(), 1U);
  EXPECT_EQ(open(base)->score(), nullptr);
}

// It began at zero again, and what was trained was not what was written.
TEST_F(TrainedModelTest, ARewardModelsHeadIsContinuedHoweverItIsTrained) {
  const fs::path base = make_base(0.25F);
  for (const char* tuning : {"full", "freeze", "lora"}) {
    options_.tuning = choice_of<Tuning>("tuning", tuning);
    const auto model = open(base, TrainingStage::reward);
    EXPECT_THAT(head_of(*model), Each(0.25F)) << tuning;
    fill(*model, 0.75F);
    const fs::path out = folder_ / tuning;
    EXPECT_FALSE(model->is_written(out));
    model->write(out, base.string(), SaveType::automatic, false);
    EXPECT_TRUE(model->is_written(out));
    if (options_.tuning == Tuning::lora) {
      options_.adapter = out.string();
      EXPECT_THAT(head_of(*open(base, TrainingStage::reward)), Each(0.75F));
    } else {
      EXPECT_THAT(head_of(*open(out, TrainingStage::reward)), Each(0.75F)) << tuning;
    }
  }
}

// Two rows are a classifier's: the second was written behind the memory of the first. A shorter row was
// read past its end.
TEST_F(TrainedModelTest, AnAdaptersHeadOfAnotherShapeIsRefused) {
  const fs::path base = make_base();
  options_.tuning = Tuning::lora;
  open(base, TrainingStage::reward)->write(folder_ / "adapter", base.string(), SaveType::automatic, false);
  options_.adapter = (folder_ / "adapter").string();
  EXPECT_NO_THROW(open(base, TrainingStage::reward));
  const fs::path name = "adapter_model.safetensors";
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{2, 32}, {1, 16}, {32}}) {
    const SafetensorsFile whole = SafetensorsFile::open(folder_ / "adapter" / name);
    std::vector<TensorView> tensors(whole.tensors().begin(), whole.tensors().end());
    const std::vector<std::byte> zeros(64 * sizeof(float));
    const fs::path other = fs::path("other") / std::to_string(shape.size()) / std::to_string(shape[0]);
    fs::create_directories((folder_ / other).parent_path());
    fs::copy(folder_ / "adapter", folder_ / other);
    SafetensorsWriter writer(folder_ / other / name);
    for (TensorView& tensor : tensors) {
      if (tensor.name.ends_with("score.weight")) {
        tensor.shape = shape;
        tensor.data = zeros.data();
        tensor.bytes = sizeof(float);
        for (const int64_t extent : shape) tensor.bytes *= static_cast<size_t>(extent);
      }
      writer.declare_tensor(tensor.name, tensor.dtype, tensor.shape);
    }
    for (const TensorView& tensor : tensors) writer.append({tensor.data, tensor.bytes});
    writer.finish();
    options_.adapter = (folder_ / other).string();
    EXPECT_THAT(refusal(base, TrainingStage::reward), HasSubstr("expected one row"));
  }
}

TEST_F(TrainedModelTest, ABaseIsKnownByItsWeights) {
  EXPECT_EQ(open({})->base_identity(), "");
  const fs::path base = make_base();
  const std::string known = open(base)->base_identity();
  EXPECT_THAT(known, testing::StartsWith("weights "));
  fs::rename(base, folder_ / "moved");
  EXPECT_EQ(open(folder_ / "moved")->base_identity(), known);
  options_.seed = 7;
  EXPECT_NE(open(make_base())->base_identity(), known);
}

// What an adapter is, its files say: dora was asked for again, and refused as an option that they settle.
TEST_F(TrainedModelTest, AdaptersOfEveryKindGoOn) {
  const fs::path base = make_base();
  options_.tuning = Tuning::lora;
  for (const char* kind : {"lora", "dora", "pissa", "rslora"}) {
    options_.lora = {};
    options_.lora.rank = 2;
    options_.lora.dora = kind == std::string("dora");
    options_.lora.pissa = kind == std::string("pissa");
    options_.lora.rank_stabilised = kind == std::string("rslora");
    options_.adapter = "";
    const fs::path out = folder_ / kind;
    open(base)->write(out, base.string(), SaveType::automatic, false);
    options_.lora = {};
    options_.adapter = out.string();
    EXPECT_EQ(refusal(base), "") << kind;
    open(base)->write(folder_ / "again", base.string(), SaveType::automatic, false);
    EXPECT_EQ(nlohmann::json::parse(std::ifstream(folder_ / "again/adapter_config.json")),
              nlohmann::json::parse(std::ifstream(out / "adapter_config.json")))
        << kind;
  }
}

TEST_F(TrainedModelTest, AReferenceIsTheBaseWithoutTheAdapter) {
  const fs::path base = make_base();
  EXPECT_EQ(open(base)->reference(), nullptr);
  const auto full = open(base, TrainingStage::dpo);
  EXPECT_NE(full->reference(), nullptr);
  EXPECT_NE(full->reference(), &full->decoder());
  options_.tuning = Tuning::lora;
  const auto low_rank = open(base, TrainingStage::kto);
  EXPECT_EQ(low_rank->reference(), &low_rank->decoder());
  EXPECT_NE(low_rank->adapter(), nullptr);
}

// It was the bare base: a run over an adapter began with a margin of several nats.
TEST_F(TrainedModelTest, AReferenceOfAContinuedAdapterIsTheAdapterAsItBegan) {
  const fs::path base = make_base();
  options_.tuning = Tuning::lora;
  EXPECT_EQ(open(base, TrainingStage::dpo)->reference_adapter(), nullptr);  // a new one changes nothing yet
  const auto first = open(base);
  for (Parameter& one : first->parameters().all()) std::fill_n(one.values, one.count, 0.25F);
  first->write(folder_ / "adapter", base.string(), SaveType::automatic, false);
  options_.adapter = (folder_ / "adapter").string();
  EXPECT_EQ(open(base)->reference_adapter(), nullptr);
  for (const TrainingStage stage : {TrainingStage::dpo, TrainingStage::kto}) {
    const auto model = open(base, stage);
    ASSERT_NE(model->reference_adapter(), nullptr);
    EXPECT_NE(model->reference_adapter(), model->adapter());  // does not move along
    EXPECT_EQ(model->reference(), &model->decoder());
  }
}

TEST_F(TrainedModelTest, AWrittenModelEndsWhereItsTrainingEnds) {
  const fs::path base = make_base();
  const auto read = [&](const fs::path& folder) {
    return nlohmann::json::parse(std::ifstream(folder / "generation_config.json"))["eos_token_id"];
  };
  const auto end = open(base)->renderer().end_token();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(read(base), *end);
  // A base whose own end is another token: transformers and vLLM never stopped.
  std::ofstream(base / "generation_config.json") << R"({"eos_token_id": 0, "temperature": 0.5})";
  open(base)->write(folder_ / "out", "", SaveType::automatic, false);
  EXPECT_EQ(read(folder_ / "out"), nlohmann::json({0, *end}));
  EXPECT_EQ(nlohmann::json::parse(std::ifstream(folder_ / "out/generation_config.json"))["temperature"], 0.5);
  std::ofstream(base / "generation_config.json") << R"({"eos_token_id": [7, 0]})";
  open(base)->write(folder_ / "out", "", SaveType::automatic, false);
  EXPECT_EQ(read(folder_ / "out"), nlohmann::json({7, 0, *end}));
}

TEST_F(TrainedModelTest, AModelTrainedWithoutThinkingIsWrittenWithAPromptThatClosesIt) {
  const fs::path base = make_base();
  const auto prompt = [&](const fs::path& folder) {
    const auto file = ModelFile::open(folder);
    const Vocabulary vocabulary = load_vocabulary(*file);
    ChatRequest request;
    request.messages = {{.role = "user", .content = "q"}};
    return ChatTemplate(vocabulary.chat_template, "<b>", "<e>").render(request);
  };
  open(base)->write(folder_ / "thinks", "", SaveType::automatic, false);
  open(base)->write(folder_ / "closed", "", SaveType::automatic, true);
  EXPECT_THAT(prompt(folder_ / "thinks"), testing::EndsWith("<think>\n"));
  EXPECT_THAT(prompt(folder_ / "closed"), testing::EndsWith("<think>\n\n</think>\n\n"));
  // Trained again from there, samples are rendered as before.
  const DataSample sample =
      make_data_sample({nlohmann::ordered_json{{"question", "q"}, {"answer", "a"}}, "file:1"}, {});
  EXPECT_EQ(open(folder_ / "closed")->renderer().render(sample, TrainedTurns::last)[0].sequence.tokens,
            open(base)->renderer().render(sample, TrainedTurns::last)[0].sequence.tokens);
}

// The index of an older, sharded model was read first: the old weights ran.
TEST_F(TrainedModelTest, AnIndexOfOlderShardsGoesWhenAModelIsWritten) {
  const fs::path base = make_base();
  fs::create_directories(folder_ / "out");
  std::ofstream(folder_ / "out/model.safetensors.index.json") << R"({"weight_map": {}})";
  open(base)->write(folder_ / "out", "", SaveType::automatic, false);
  EXPECT_FALSE(fs::exists(folder_ / "out/model.safetensors.index.json"));
  EXPECT_NO_THROW(open(folder_ / "out"));
}

TEST_F(TrainedModelTest, AnEngineCanUseTheTrainedWeightsWithoutACopy) {
  const auto model = open(make_base());
  const std::shared_ptr<const Model> shared = model->model();
  EXPECT_EQ(shared.get(), &model->decoder());
  const Parameter* embedding = model->parameters().find("model.embed_tokens.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(reinterpret_cast<const float*>(model->decoder().weights().embedding.data), embedding->values);
}

TEST_F(TrainedModelTest, OptionsThatDoNotGoTogetherAreRefused) {
  const fs::path base = make_base();
  EXPECT_THAT(refusal({}, TrainingStage::dpo), HasSubstr("--model"));
  options_.tuning = Tuning::lora;
  EXPECT_THAT(refusal({}), HasSubstr("expected full for a new model, found 'lora'"));
  options_.tuning = Tuning::full;
  options_.tokenizer.clear();
  EXPECT_THAT(refusal({}), HasSubstr("--model or --tokenizer"));
}

}  // namespace
}  // namespace r1
