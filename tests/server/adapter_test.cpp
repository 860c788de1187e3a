// LoRA adapters by name: a request gets its adapter, in a batch with others.
#include <filesystem>

#include "base/random.h"
#include "formats/synth.h"
#include "tests/server/test_server.h"
#include "train/low_rank.h"

namespace r1::server {
namespace {

using test::Json;

class AdapterTest : public ::testing::Test {
 protected:
  AdapterTest() {
    SynthOptions options;
    options.type = "F32";
    std::filesystem::create_directories(folder_);
    write_synthetic_gguf("tiny-qwen2", folder_ / "model.gguf", options);
    settings_.kernels = &kernels::select_kernels();
    settings_.threads = 1;
    settings_.arithmetic = Arithmetic::exact;
    settings_.engine.context_length = 256;
  }
  ~AdapterTest() override { std::filesystem::remove_all(folder_); }

  void write_adapter(const std::string& name, uint64_t seed) const {
    const auto file = ModelFile::open(folder_ / "model.gguf");
    LowRankOptions options;
    options.rank = 4;
    const auto adapter = LowRankAdapter::create(*file, options);
    for (Parameter& parameter : adapter->parameters().all()) {
      if (!parameter.name.ends_with("lora_B.weight")) continue;
      for (int64_t i = 0; i < parameter.count; ++i)
        parameter.values[i] =
            static_cast<float>(0.2 * (2 * random_uniform(seed, static_cast<uint64_t>(i)) - 1));
    }
    adapter->write(folder_ / name, "base");
  }

  /// The answers of these models to one prompt, asked for at the same time.
  static std::vector<std::string> ask(Application& application, const std::vector<std::string>& models) {
    std::vector<std::shared_ptr<test::RecordingSink>> sinks;
    for (const std::string& model : models) {
      HttpRequest request;
      request.method = "POST";
      request.path = "/v1/completions";
      request.headers = {{"Host", "localhost"}};
      request.body =
          Json{{"model", model}, {"prompt", "Once upon"}, {"max_tokens", 12}, {"temperature", 0}}.dump();
      sinks.push_back(std::make_shared<test::RecordingSink>());
      application.handle(std::make_shared<const HttpRequest>(request), sinks.back());
    }
    std::vector<std::string> texts;
    for (size_t i = 0; i < sinks.size(); ++i) {
      const Json answer = Json::parse(sinks[i]->wait().body);
      EXPECT_EQ(answer.value("model", answer.dump()), models[i]);
      texts.push_back(answer["choices"][0]["text"]);
    }
    return texts;
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / fmt::format("r1-adapters-{}", ::getpid());
  ModelSettings settings_;
};

TEST_F(AdapterTest, ItsNameIsAModelsName) {
  write_adapter("sailor", 1);
  write_adapter("cook", 2);
  ModelHost models({settings_});
  models.add("tiny", folder_ / "model.gguf");
  models.add_adapter({"sailor", folder_ / "sailor"});
  models.add_adapter({"cook", folder_ / "cook"});
  EXPECT_THROW(models.add_adapter({"tiny", folder_ / "cook"}), Error);
  EXPECT_THROW(models.add("cook", folder_ / "model.gguf"), Error);
  Application application(models, {});
  const auto together = ask(application, {"tiny", "sailor", "cook", "sailor"});
  EXPECT_NE(together[0], together[1]);
  EXPECT_NE(together[1], together[2]);
  EXPECT_NE(together[0], together[2]);
  EXPECT_EQ(together[1], together[3]);
  EXPECT_EQ(ask(application, {"sailor"})[0], together[1]) << "alone as in a batch";
  EXPECT_EQ(ask(application, {"tiny"})[0], together[0]);
  const auto list = models.list();
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[1].name, "sailor");
  EXPECT_EQ(list[1].base, "tiny");
  EXPECT_TRUE(list[1].loaded);
  application.cancel_all();
}

TEST_F(AdapterTest, IsTheSameAsTheMergedWeights) {
  write_adapter("sailor", 1);
  const auto file = ModelFile::open(folder_ / "model.gguf");
  const auto adapter = LowRankAdapter::open(folder_ / "sailor", *file);
  ParameterStore sums;
  const auto merged = ModelFile::with_tensors(file, adapter->merged(*file, sums));
  ModelHost models({settings_});
  models.add("tiny", folder_ / "model.gguf");
  models.add_adapter({"sailor", folder_ / "sailor"});
  models.add_loaded(
      std::make_shared<ServedModel>("merged", load_model(merged), load_vocabulary(*file), settings_));
  Application application(models, {});
  const auto texts = ask(application, {"sailor", "merged"});
  EXPECT_EQ(texts[0], texts[1]);
  application.cancel_all();
}

}  // namespace
}  // namespace r1::server
