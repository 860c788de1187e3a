#include "base/boxed_json.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace r1 {

template <class Json>
BoxedJson<Json>::BoxedJson() : value_(std::make_unique<Json>()) {}
template <class Json>
BoxedJson<Json>::BoxedJson(const Json& value) : value_(std::make_unique<Json>(value)) {}
template <class Json>
BoxedJson<Json>::BoxedJson(Json&& value) : value_(std::make_unique<Json>(std::move(value))) {}
template <class Json>
BoxedJson<Json>::BoxedJson(const BoxedJson& other) : BoxedJson(*other) {}
template <class Json>
BoxedJson<Json>::BoxedJson(BoxedJson&& other) noexcept = default;
template <class Json>
BoxedJson<Json>& BoxedJson<Json>::operator=(const BoxedJson& other) {
  return *this = BoxedJson(other);
}
template <class Json>
BoxedJson<Json>& BoxedJson<Json>::operator=(BoxedJson&& other) noexcept = default;
template <class Json>
BoxedJson<Json>::~BoxedJson() = default;

template class BoxedJson<nlohmann::json>;
template class BoxedJson<nlohmann::ordered_json>;

}  // namespace r1
