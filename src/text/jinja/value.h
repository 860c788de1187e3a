// The values of a template while it renders: Python's types as far as templates see them.
//
// Strings are immutable and shared; every mutable or compound object belongs to the Runtime of its rendering
// and is freed with it, so that cyclic structures (a list appended to itself) neither leak nor recurse in a
// destructor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace r1::jinja {

class Interpreter;
class Runtime;
struct Expression;
struct Statement;
struct Scope;

enum class Kind : std::uint8_t { undefined, none, boolean, integer, floating, string, list, dict, object };

struct Object {
  virtual ~Object() = default;
};
struct ListObject;
struct DictObject;

class Value {
 public:
  Value() = default;  // none
  static Value none() { return {}; }
  static Value boolean(bool flag);
  static Value integer(std::int64_t number);
  static Value floating(double number);
  static Value string(std::string text, bool markup = false);
  /// An undefined value; any use but printing, testing and looping raises UndefinedError with this message.
  static Value undefined(std::string message);
  static Value list(ListObject* object);
  static Value dict(DictObject* object);
  static Value object(Object* object);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_undefined() const { return kind_ == Kind::undefined; }
  bool is_none() const { return kind_ == Kind::none; }
  bool is_string() const { return kind_ == Kind::string; }
  /// Python's int, which includes bool.
  bool is_integral() const { return kind_ == Kind::integer || kind_ == Kind::boolean; }
  bool is_number() const { return is_integral() || kind_ == Kind::floating; }
  /// A string marked safe for HTML.
  bool is_markup() const { return kind_ == Kind::string && markup_; }

  bool as_boolean() const { return integer_ != 0; }
  std::int64_t as_integer() const { return integer_; }  // integer and boolean
  double as_double() const { return kind_ == Kind::floating ? floating_ : static_cast<double>(integer_); }
  const std::string& text() const { return *text_; }  // string; message of undefined
  ListObject& as_list() const;
  DictObject& as_dict() const;
  /// The object as T, or null when it is another kind.
  template <typename T>
  T* as_object() const {
    return kind_ == Kind::object ? dynamic_cast<T*>(object_) : nullptr;
  }
  /// Python's `is`, with equal scalars taken as identical.
  bool same_as(const Value& other) const;

 private:
  Kind kind_ = Kind::none;
  bool markup_ = false;
  union {
    std::int64_t integer_ = 0;
    double floating_;
    Object* object_;
  };
  std::shared_ptr<const std::string> text_;
};

enum class ListForm : std::uint8_t {
  list,
  tuple,
  group,  // a (grouper, list) pair of the filter groupby
  items_view,
  keys_view,
  values_view,
  range,
  iterator,  // consumed from `position` on: generators, reversed()
};

struct ListObject : Object {
  ListForm form = ListForm::list;
  std::vector<Value> items;
  std::size_t position = 0;                    // iterator: first item not consumed
  std::int64_t start = 0, stop = 0, step = 1;  // range
  const char* type_name = "generator";         // iterator
  bool is_tuple() const { return form == ListForm::tuple || form == ListForm::group; }
  bool is_sequence() const { return form == ListForm::list || is_tuple() || form == ListForm::range; }
};

/// An insertion-ordered dictionary. Keys are hashed by the functions of operators.h.
struct DictObject : Object {
  std::vector<std::pair<Value, Value>> entries;
  std::unordered_multimap<std::size_t, std::size_t>
      index;  // hash -> entry; empty while there are few entries

  Value* find(Runtime& runtime, const Value& key);
  Value* find(std::string_view key);
  void set(Runtime& runtime, const Value& key, Value value);
  /// Removes an entry; false when there is none.
  bool erase(Runtime& runtime, const Value& key);
  void clear();

 private:
  std::size_t locate(Runtime& runtime, const Value& key, std::size_t hash);
  void rebuild(Runtime& runtime);
};

/// The arguments of a call, a filter or a test.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keyword;

  const Value* find(std::string_view name) const;
};

struct NamespaceObject : Object {
  DictObject* attributes = nullptr;
};

struct FunctionObject : Object {
  std::string name;
  std::function<Value(Interpreter&, Arguments&)> call;
};

struct BoundMethod : Object {
  Value self;
  std::string name;
};

struct MacroObject : Object {
  std::string name;
  const Statement* definition = nullptr;
  std::shared_ptr<Scope> scope;  // where it was defined
  bool is_caller = false;
};

struct CyclerObject : Object {
  std::vector<Value> items;
  std::size_t position = 0;
};

struct JoinerObject : Object {
  std::string separator;
  bool used = false;
};

}  // namespace r1::jinja
