// LoRA adapters by name: a request gets its adapter, in a batch with others.
#include <fstream>

#include "base/random.h"
#include "tests/server/tiny_model.h"
#include "train/trained_adapter.h"

namespace r1::server {
namespace {

using test::Json;

class AdapterTest : public test::TinyModelTest {
 protected:
  AdapterTest() : TinyModelTest("F32") { settings_.arithmetic = Arithmetic::exact; }

  void write_adapter(const std::string& name, uint64_t seed) const {
    const auto file = ModelFile::open(file_);
    LowRankOptions options;
    options.rank = 4;
    const auto adapter = TrainedAdapter::create(*file, options);
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
      sinks.push_back(
          post(application, "/v1/completions",
               {{"model", model}, {"prompt", "Once upon"}, {"max_tokens", 12}, {"temperature", 0}}));
    }
    std::vector<std::string> texts;
    for (size_t i = 0; i < sinks.size(); ++i) {
      const Json answer = Json::parse(sinks[i]->wait().body);
      EXPECT_EQ(answer.value("model", answer.dump()), models[i]);
      texts.push_back(answer["choices"][0]["text"]);
    }
    return texts;
  }
};

TEST_F(AdapterTest, ItsNameIsAModelsName) {
  write_adapter("sailor", 1);
  write_adapter("cook", 2);
  ModelHost models({settings_});
  models.add("tiny", file_);
  models.add_adapter({"sailor", folder_ / "sailor"});
  models.add_adapter({"cook", folder_ / "cook"});
  EXPECT_THROW(models.add_adapter({"tiny", folder_ / "cook"}), Error);
  EXPECT_THROW(models.add("cook", file_), Error);
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

// What was trained without thinking, for instance, is asked without it.
TEST_F(AdapterTest, ItIsAskedWithTheTemplateItWasTrainedWith) {
  write_adapter("sailor", 1);
  write_adapter("cook", 2);
  std::ofstream(folder_ / "sailor" / "chat_template.jinja")
      << "{% for message in messages %}Ahoy {{ message.content }}!{% endfor %}";
  ModelHost models({settings_});
  models.add("tiny", file_);
  models.add_adapter({"sailor", folder_ / "sailor"});
  models.add_adapter({"gguf", folder_ / "sailor" / "adapter.gguf"});
  models.add_adapter({"cook", folder_ / "cook"});
  Application application(models, {});
  const auto prompt = [&](const char* model) {
    const auto sink = post(application, "/apply-template",
                           {{"model", model}, {"messages", {{{"role", "user"}, {"content", "you"}}}}});
    return sink->wait().body;
  };
  EXPECT_THAT(prompt("sailor"), ::testing::HasSubstr("Ahoy you!"));
  EXPECT_EQ(prompt("gguf"), prompt("sailor")) << "llama.cpp's form of the same, in its directory";
  EXPECT_EQ(prompt("cook"), prompt("tiny"));
  EXPECT_THAT(prompt("tiny"), ::testing::Not(::testing::HasSubstr("Ahoy")));
  const auto texts = ask(application, {"sailor", "gguf"});
  EXPECT_EQ(texts[0], texts[1]);
  application.cancel_all();
}

TEST_F(AdapterTest, IsTheSameAsTheMergedWeights) {
  write_adapter("sailor", 1);
  const auto file = ModelFile::open(file_);
  const auto adapter = TrainedAdapter::open(folder_ / "sailor", *file);
  ParameterStore sums;
  const auto merged = ModelFile::with_tensors(file, adapter->merged(*file, sums));
  ModelHost models({settings_});
  models.add("tiny", file_);
  models.add_adapter({"sailor", folder_ / "sailor"});
  models.add_loaded(std::make_shared<ServedModel>(
      "merged", TextModel(load_model(merged), load_vocabulary(*file)), settings_));
  Application application(models, {});
  const auto texts = ask(application, {"sailor", "merged"});
  EXPECT_EQ(texts[0], texts[1]);
  application.cancel_all();
}

}  // namespace
}  // namespace r1::server
