#include "train/data_steps.h"

#include <algorithm>

#include "base/error.h"

namespace r1 {

int64_t batches_in(const BatchSource& batches, double epochs) {
  int64_t count = 0;
  const auto whole = static_cast<int64_t>(epochs);
  for (int64_t epoch = 0; epoch < whole; ++epoch) count += batches.batches(epoch);
  const double rest = epochs - static_cast<double>(whole);
  if (rest > 0) count += static_cast<int64_t>(rest * static_cast<double>(batches.batches(whole)));
  return std::max<int64_t>(1, count);
}

DataSteps::DataSteps(const BatchSource& batches, int64_t accumulation, int64_t total)
    : batches_(batches), accumulation_(accumulation), total_(total) {
  if (accumulation < 1)
    throw_error(ErrorKind::invalid_argument, "accumulation: expected at least 1, found {}", accumulation);
}

std::vector<TrainingBatch> DataSteps::next_step() {
  const int64_t count = total_ > 0 ? std::min(accumulation_, total_ - done_) : accumulation_;
  std::vector<TrainingBatch> step;
  for (int64_t i = 0; i < count; ++i) {
    step.push_back(batches_.batch(place_.epoch, place_.batch));
    if (++place_.batch == batches_.batches(place_.epoch)) place_ = {place_.epoch + 1, 0};
  }
  done_ += static_cast<int64_t>(step.size());
  return step;
}

void DataSteps::set_place(const DataPlace& place, int64_t steps_done) {
  place_ = place;
  done_ = steps_done * accumulation_;
}

double DataSteps::epoch() const {
  return static_cast<double>(place_.epoch) +
         static_cast<double>(place_.batch) / static_cast<double>(batches_.batches(place_.epoch));
}

}  // namespace r1
