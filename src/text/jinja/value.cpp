#include "text/jinja/value.h"

#include <utility>

#include "text/jinja/operators.h"
#include "text/jinja/runtime.h"

namespace r1::jinja {

namespace {
constexpr std::size_t kMissing = static_cast<std::size_t>(-1);
constexpr std::size_t kIndexed = 8;  // below this many entries a linear search is as quick
}  // namespace

Value Value::boolean(bool flag) {
  Value value;
  value.kind_ = Kind::boolean;
  value.integer_ = flag ? 1 : 0;
  return value;
}

Value Value::integer(std::int64_t number) {
  Value value;
  value.kind_ = Kind::integer;
  value.integer_ = number;
  return value;
}

Value Value::floating(double number) {
  Value value;
  value.kind_ = Kind::floating;
  value.floating_ = number;
  return value;
}

Value Value::string(std::string text, bool markup) {
  Value value;
  value.kind_ = Kind::string;
  value.markup_ = markup;
  value.text_ = std::make_shared<const std::string>(std::move(text));
  return value;
}

Value Value::undefined(std::string message) {
  Value value;
  value.kind_ = Kind::undefined;
  value.text_ = std::make_shared<const std::string>(std::move(message));
  return value;
}

Value Value::list(ListObject* object) {
  Value value;
  value.kind_ = Kind::list;
  value.object_ = object;
  return value;
}

Value Value::dict(DictObject* object) {
  Value value;
  value.kind_ = Kind::dict;
  value.object_ = object;
  return value;
}

Value Value::object(Object* object) {
  Value value;
  value.kind_ = Kind::object;
  value.object_ = object;
  return value;
}

ListObject& Value::as_list() const {
  return *static_cast<ListObject*>(object_);
}
DictObject& Value::as_dict() const {
  return *static_cast<DictObject*>(object_);
}

bool Value::same_as(const Value& other) const {
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::none:
      return true;
    case Kind::undefined:
      return text_ == other.text_;
    case Kind::boolean:
    case Kind::integer:
      return integer_ == other.integer_;
    case Kind::floating:
      return floating_ == other.floating_;
    case Kind::string:
      return text_ == other.text_ || *text_ == *other.text_;
    default:
      return object_ == other.object_;
  }
}

std::size_t DictObject::locate(Runtime& runtime, const Value& key, std::size_t hash) {
  if (index.empty()) {
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (equals(runtime, entries[i].first, key)) return i;
    return kMissing;
  }
  const auto range = index.equal_range(hash);
  for (auto at = range.first; at != range.second; ++at)
    if (equals(runtime, entries[at->second].first, key)) return at->second;
  return kMissing;
}

Value* DictObject::find(Runtime& runtime, const Value& key) {
  const std::size_t at = locate(runtime, key, hash_value(runtime, key));
  return at == kMissing ? nullptr : &entries[at].second;
}

Value* DictObject::find(std::string_view key) {
  if (index.empty()) {
    for (auto& [name, value] : entries)
      if (name.is_string() && name.text() == key) return &value;
    return nullptr;
  }
  const auto range = index.equal_range(std::hash<std::string_view>{}(key));
  for (auto at = range.first; at != range.second; ++at) {
    auto& [name, value] = entries[at->second];
    if (name.is_string() && name.text() == key) return &value;
  }
  return nullptr;
}

void DictObject::set(Runtime& runtime, const Value& key, Value value) {
  const std::size_t hash = hash_value(runtime, key);
  const std::size_t at = locate(runtime, key, hash);
  if (at != kMissing) {
    entries[at].second = std::move(value);
    return;
  }
  runtime.charge(sizeof(entries[0]) + 48);
  entries.emplace_back(key, std::move(value));
  if (!index.empty()) {
    index.emplace(hash, entries.size() - 1);
  } else if (entries.size() > kIndexed) {
    rebuild(runtime);
  }
}

bool DictObject::erase(Runtime& runtime, const Value& key) {
  const std::size_t at = locate(runtime, key, hash_value(runtime, key));
  if (at == kMissing) return false;
  entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(at));
  rebuild(runtime);
  return true;
}

void DictObject::clear() {
  entries.clear();
  index.clear();
}

void DictObject::rebuild(Runtime& runtime) {
  index.clear();
  if (entries.size() <= kIndexed) return;
  runtime.tick(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) index.emplace(hash_value(runtime, entries[i].first), i);
}

const Value* Arguments::find(std::string_view name) const {
  for (const auto& [key, value] : keyword)
    if (key == name) return &value;
  return nullptr;
}

}  // namespace r1::jinja
