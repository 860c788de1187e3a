#include "rl/model_reward.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "formats/model_file.h"
#include "formats/vocabulary.h"
#include "kernels/training.h"
#include "model/adapter_modules.h"
#include "train/data/render.h"
#include "train/parameters.h"
#include "train/training_pass.h"

namespace r1::rl {
namespace {

class ModelReward final : public Reward {
 public:
  ModelReward(Context& context, const std::filesystem::path& folder, int64_t batch_rows,
              std::function<void(const std::string&)> remark)
      : context_(context), name_(folder.string()), batch_rows_(batch_rows), remark_(std::move(remark)) {
    const std::shared_ptr<const ModelFile> file = ModelFile::open(folder);
    const TensorView* head = file->find(kRewardHead);
    if (head == nullptr) {
      throw_error(ErrorKind::invalid_argument,
                  "rewards: {}: expected a reward model with the tensor {} (r1 train reward), found none",
                  name_, kRewardHead);
    }
    model_ = load_model(file);
    decoder_ = dynamic_cast<const Decoder*>(model_.get());
    if (decoder_ == nullptr || head_of(*head).count != decoder_->info().hidden) {
      throw_error(ErrorKind::bad_file, "{}: {}: expected one row as wide as the model", name_, kRewardHead);
    }
    cache_ = std::make_unique<TrainingCache>(*decoder_);
    Vocabulary vocabulary = load_vocabulary(*file);
    renderer_ = std::make_unique<SampleRenderer>(std::move(vocabulary.tokenizer), vocabulary.chat_template,
                                                 vocabulary.end_of_generation);
  }

  std::vector<double> score(std::span<const Answer> answers) override {
    std::vector<double> scores(answers.size(), kNoReward);
    TrainingBatch batch;
    int64_t too_long = 0;
    for (size_t i = 0; i < answers.size(); ++i) {
      const std::vector<int32_t> tokens = render(answers[i]);
      if (std::ssize(tokens) > batch_rows_) {
        ++too_long;
        continue;
      }
      if (batch.rows() + std::ssize(tokens) > batch_rows_) run(batch, scores);
      batch.sequences.push_back({batch.rows(), std::ssize(tokens), static_cast<int64_t>(i)});
      batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
      batch.targets.resize(batch.tokens.size(), -1);
    }
    run(batch, scores);
    if (too_long > 0 && remark_) {
      remark_(fmt::format("{}: {} of {} answers are longer than batch_tokens, {}: they get no reward", name_,
                          too_long, answers.size(), batch_rows_));
    }
    return scores;
  }

 private:
  const Parameter& head_of(const TensorView& head) { return store_.add_copy(head); }

  std::vector<int32_t> render(const Answer& answer) const {
    DataSample sample;
    sample.format = DataFormat::messages;
    sample.messages = answer.question->messages;
    ChatMessage reply;
    reply.role = "assistant";
    reply.content = answer.answer;
    reply.reasoning_content = answer.reasoning;
    sample.messages.push_back(std::move(reply));
    sample.place = answer.question->place;
    return renderer_->render(sample, TrainedTurns::last).front().sequence.tokens;
  }

  /// Empties the batch.
  void run(TrainingBatch& batch, std::vector<double>& scores) {
    if (batch.sequences.empty()) return;
    const Parameter& head = store_.all().front();
    {
      const TrainingPass pass(context_, *decoder_, WeightGradients{}, *cache_, batch,
                              ActivationStorage::layer_inputs);
      for (const PackedSequence& sequence : batch.sequences) {
        const float* last = pass.hidden() + (sequence.first_row + sequence.rows - 1) * head.count;
        scores[static_cast<size_t>(sequence.sample)] =
            context_.kernels().training->dot(head.values, last, head.count);
      }
    }
    batch = TrainingBatch();
  }

  Context& context_;
  std::string name_;
  int64_t batch_rows_;
  std::function<void(const std::string&)> remark_;
  std::unique_ptr<Model> model_;
  const Decoder* decoder_ = nullptr;
  std::unique_ptr<TrainingCache> cache_;
  std::unique_ptr<SampleRenderer> renderer_;
  ParameterStore store_;  // the head
};

}  // namespace

std::unique_ptr<Reward> make_model_reward(Context& context, const std::filesystem::path& folder,
                                          int64_t batch_rows,
                                          const std::function<void(const std::string&)>& remark) {
  return std::make_unique<ModelReward>(context, folder, batch_rows, remark);
}

}  // namespace r1::rl
