#include "rl/reference_policy.h"

#include <algorithm>

namespace r1::rl {

ReferencePolicy::ReferencePolicy(Context& context, TrainedModel& trained) : trained_(trained) {
  if (trained.low_rank() != nullptr) {
    adapter_ = TrainedAdapter::create(*trained.base(), *trained.low_rank());
  } else {
    for (const TensorView& tensor : trained.parameters().views()) store_.add_copy(tensor);
    model_ = load_model(ModelFile::with_tensors(trained.bound_file(), store_.views()));
  }
  capture(context);
}

void ReferencePolicy::capture(Context& context) {
  ParameterStore& copies = parameters();
  for (size_t i = 0; i < copies.all().size(); ++i) {
    const Parameter& from = trained_.parameters().all()[i];
    std::copy_n(from.values, from.count, copies.all()[i].values);
  }
  if (adapter_) adapter_->refresh(context);
}

Policy ReferencePolicy::policy() const {
  if (adapter_) return {&trained_.decoder(), &adapter_->adapter()};
  return {&dynamic_cast<const Decoder&>(*model_), nullptr};
}

}  // namespace r1::rl
