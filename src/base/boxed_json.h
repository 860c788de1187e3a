// A JSON value as a member of a type whose header many files include: they need json_fwd.hpp only. Compiling
// nlohmann/json.hpp takes longer than most files that would include it.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

namespace r1 {

/// Owns one value, null at first; copies copy the value. Const access gives a const value. A moved-from box
/// may only be assigned to or destroyed.
template <class Json>
class BoxedJson {
 public:
  BoxedJson();
  BoxedJson(const Json& value);  // implicit, like the value itself
  BoxedJson(Json&& value);
  BoxedJson(const BoxedJson& other);
  BoxedJson(BoxedJson&& other) noexcept;
  BoxedJson& operator=(const BoxedJson& other);
  BoxedJson& operator=(BoxedJson&& other) noexcept;
  ~BoxedJson();

  Json& operator*() { return *value_; }
  const Json& operator*() const { return *value_; }
  Json* operator->() { return value_.get(); }
  const Json* operator->() const { return value_.get(); }

 private:
  std::unique_ptr<Json> value_;
};

extern template class BoxedJson<nlohmann::json>;
extern template class BoxedJson<nlohmann::ordered_json>;

}  // namespace r1
