// Small word problems: stories in English and Chinese over an expression.
#include <fmt/format.h>

#include <array>
#include <map>
#include <stdexcept>

#include "tasks/problem.h"

namespace r1::tasks {
namespace {

struct Story {
  int level;
  const char* expression;  // in the numbers of the story
  const char* numbers;     // "a:2-20 b:1-9 c=a*b": ranges, and numbers that follow from others
  std::array<const char*, 2> english, chinese;
};

// {n}, {m}: people; {o}: things, in Chinese with their measure word.
constexpr Story kStories[] = {
    {1,
     "a+b",
     "a:2-50 b:2-40",
     {"{n} has {a} {o} and buys {b} more. How many {o} does {n} have now?",
      "There are {a} {o} in a box. {n} puts in {b} more. How many {o} are in the box?"},
     {"{n}有{a}{o}，又买了{b}{o}，现在有多少{o}？",
      "盒子里有{a}{o}，{n}又放进{b}{o}，盒子里一共有多少{o}？"}},
    {1,
     "a-b",
     "a:10-60 b:2-40",
     {"{n} has {a} {o} and gives {b} to {m}. How many {o} are left?",
      "There are {a} {o} on the table. {n} takes {b} away. How many {o} remain?"},
     {"{n}有{a}{o}，给了{m}{b}{o}，还剩多少{o}？", "桌上有{a}{o}，{n}拿走了{b}{o}，还剩多少{o}？"}},
    {1,
     "a*b",
     "a:2-9 b:2-9",
     {"Each box holds {b} {o}. How many {o} are in {a} boxes?",
      "{n} fills {a} bags with {b} {o} each. How many {o} is that?"},
     {"每个盒子装{b}{o}，{a}个盒子一共装多少{o}？", "{n}装了{a}袋，每袋{b}{o}，一共有多少{o}？"}},
    {1,
     "c/a",
     "a:2-9 b:2-9 c=a*b",
     {"{n} shares {c} {o} equally among {a} children. How many {o} does each child get?",
      "{c} {o} are packed into {a} boxes, the same number in each. How many {o} are in one box?"},
     {"{n}把{c}{o}平均分给{a}个小朋友，每人得到多少{o}？", "{c}{o}平均装进{a}个盒子，每个盒子装多少{o}？"}},
    {1,
     "a+b",
     "a:5-60 b:2-30",
     {"{n} has {a} {o}. {m} has {b} more than {n}. How many {o} does {m} have?",
      "{n} read {a} pages yesterday and {b} pages today. How many pages is that together?"},
     {"{n}有{a}{o}，{m}比{n}多{b}{o}，{m}有多少{o}？",
      "{n}昨天看了{a}页书，今天看了{b}页，一共看了多少页？"}},
    {1,
     "a-b",
     "a:12-80 b:3-50",
     {"{n} is {a} years old and {m} is {b}. How many years older is {n}?",
      "A book has {a} pages. {n} has read {b}. How many pages are left?"},
     {"{n}{a}岁，{m}{b}岁，{n}比{m}大多少岁？", "一本书有{a}页，{n}看了{b}页，还剩多少页？"}},
    {1,
     "a-b",
     "a:5-60 b:2-40",
     {"I have {a} {o} and give away {b}. How many {o} do I have left?",
      "I had {a} {o}. I lost {b} of them. How many are left?"},
     {"我有{a}{o}，用掉了{b}{o}，还剩多少{o}？", "我原来有{a}{o}，丢了{b}{o}，还有多少{o}？"}},
    {1,
     "a+b",
     "a:2-60 b:2-40",
     {"I have {a} {o} and get {b} more. How many {o} do I have now?",
      "If you have {a} {o} and I have {b}, how many do we have together?"},
     {"我有{a}{o}，又得到{b}{o}，现在我有多少{o}？", "你有{a}{o}，我有{b}{o}，我们一共有多少{o}？"}},
    {1,
     "a*b",
     "a:2-9 b:2-9",
     {"A pen costs {a} yuan. How much do {b} pens cost?",
      "One ticket is {a} dollars. What do {b} tickets cost?"},
     {"一支钢笔{a}元，{b}支钢笔多少元？", "一张票{a}元，买{b}张票要多少元？"}},
    {1,
     "c/a",
     "a:2-9 b:2-9 c=a*b",
     {"{a} pens cost {c} yuan. How much is one pen?",
      "I have {c} yuan. A ticket is {a} yuan. How many can I buy?"},
     {"{a}支钢笔{c}元，一支钢笔多少元？", "我有{c}元，一张票{a}元，可以买几张？"}},
    {2,
     "a+b+c",
     "a:10-300 b:10-300 c:10-200",
     {"I walk {a} metres, then {b} metres, then {c} metres. How far is that in all?",
      "{n} has {a} {o}, {m} has {b} and Kim has {c}. How many do they have in all?"},
     {"我先走{a}米，再走{b}米，又走{c}米，一共走了多少米？",
      "{n}有{a}{o}，{m}有{b}{o}，小文有{c}{o}，三人一共有多少{o}？"}},
    {2,
     "a+b-c",
     "a:20-300 b:10-200 c:5-150",
     {"A shop has {a} {o}. It gets {b} more and sells {c}. How many {o} are left?",
      "{n} had {a} {o}, got {b} from {m} and lost {c}. How many {o} does {n} have now?"},
     {"商店有{a}{o}，又进了{b}{o}，卖出{c}{o}，还剩多少{o}？",
      "{n}有{a}{o}，{m}又给了{b}{o}，后来丢了{c}{o}，{n}现在有多少{o}？"}},
    {2,
     "a*b+c",
     "a:2-12 b:2-30 c:1-60",
     {"{n} buys {a} boxes of {b} {o} and {c} single {o}. How many {o} are that?",
      "There are {a} rows of {b} {o} and {c} more. How many {o} are there?"},
     {"{n}买了{a}盒，每盒{b}{o}，另外又买了{c}{o}，一共有多少{o}？",
      "有{a}排，每排{b}{o}，另外还有{c}{o}，一共有多少{o}？"}},
    {2,
     "a-b*c",
     "a:50-200 b:2-9 c:2-12",
     {"{n} has {a} yuan and buys {b} {o} at {c} yuan each. How much money is left?",
      "{n} pays with {a} dollars for {b} {o} that cost {c} dollars each. How many dollars are left?"},
     {"{n}有{a}元，买了{b}{o}，每{u}{c}元，还剩多少元？",
      "{n}付了{a}元，买{b}{o}，每{u}{c}元，应找回多少元？"}},
    {2,
     "(a+b)*c",
     "a:2-20 b:2-20 c:2-9",
     {"A pen costs {a} yuan and a notebook costs {b} yuan. How much do {c} pens and {c} notebooks cost?",
      "{n} makes {a} cakes and {b} pies each day. How many are that in {c} days?"},
     {"一支钢笔{a}元，一个本子{b}元，买{c}支钢笔和{c}个本子一共多少元？",
      "{n}每天做{a}个蛋糕和{b}个馅饼，{c}天一共做多少个？"}},
    {2,
     "(a-b)/c",
     "c:2-9 k:2-12 b:2-40 a=c*k+b",
     {"{n} has {a} {o}, keeps {b} and shares the rest equally among {c} friends. How many does each get?",
      "Of {a} {o}, {b} are broken. The others are packed into {c} equal boxes. How many are in a box?"},
     {"{n}有{a}{o}，自己留下{b}{o}，其余平均分给{c}个朋友，每人得到多少{o}？",
      "{a}{o}中有{b}{o}坏了，其余平均装进{c}个盒子，每盒多少{o}？"}},
    {2,
     "a*b",
     "a:3-12 b:12-90",
     {"A car drives {b} kilometres an hour. How far does it go in {a} hours?",
      "{n} reads {b} pages a day. How many pages does {n} read in {a} days?"},
     {"汽车每小时行{b}千米，{a}小时行多少千米？", "{n}每天看{b}页书，{a}天一共看多少页？"}},
    {2,
     "c/a",
     "a:3-9 b:12-90 c=a*b",
     {"A train goes {c} kilometres in {a} hours. How many kilometres does it go in one hour?",
      "{n} saves {c} yuan in {a} months, the same each month. How much does {n} save in a month?"},
     {"火车{a}小时行{c}千米，每小时行多少千米？", "{n}{a}个月存了{c}元，每个月存的一样多，每月存多少元？"}},
    {2,
     "a+a*b",
     "a:3-40 b:2-6",
     {"{n} has {a} {o}. {m} has {b} times as many. How many {o} do they have together?",
      "There are {a} cats and {b} times as many dogs. How many animals are there?"},
     {"{n}有{a}{o}，{m}的是{n}的{b}倍，两人一共有多少{o}？",
      "有{a}只猫，狗的只数是猫的{b}倍，一共有多少只动物？"}},
    {3,
     "a*b+c*d",
     "a:2-9 b:3-40 c:2-9 d:3-40",
     {"{n} buys {a} {o} at {b} yuan each and {c} books at {d} yuan each. How much is that in all?",
      "A hall has {a} rows of {b} seats and {c} rows of {d} seats. How many seats are there?"},
     {"{n}买了{a}{o}，每{u}{b}元，又买了{c}本书，每本{d}元，一共花多少元？",
      "礼堂有{a}排座位，每排{b}个，另有{c}排，每排{d}个，一共有多少个座位？"}},
    {3,
     "a-b*c-d",
     "a:120-500 b:2-9 c:5-30 d:5-60",
     {"{n} has {a} yuan, buys {b} {o} at {c} yuan each and a cup for {d} yuan. How much is left?",
      "A tank holds {a} litres. {b} buckets of {c} litres and then {d} litres more are taken out. How many "
      "litres are left?"},
     {"{n}有{a}元，买了{b}{o}，每{u}{c}元，又花{d}元买了一个杯子，还剩多少元？",
      "水箱有{a}升水，先取出{b}桶，每桶{c}升，又取出{d}升，还剩多少升？"}},
    {3,
     "(a+b+c)/d",
     "d:2-9 k:5-60 a:3-99 b:3-99 c=d*k-a-b",
     {"{n} collects {a}, {b} and {c} {o} on three days and shares them equally among {d} people. How many "
      "does "
      "each get?",
      "Three boxes hold {a}, {b} and {c} {o}. All are spread evenly over {d} shelves. How many are on a "
      "shelf?"},
     {"{n}三天分别收集了{a}、{b}和{c}{o}，平均分给{d}个人，每人多少{o}？",
      "三个箱子里分别有{a}、{b}和{c}{o}，全部平均放到{d}个架子上，每个架子多少{o}？"}},
    {3,
     "(a-b)*c+d",
     "a:20-90 b:2-19 c:2-9 d:5-90",
     {"A shirt costs {a} yuan, now {b} yuan less. {n} buys {c} shirts and a hat for {d} yuan. What does {n} "
      "pay?",
      "In each of {c} classes of {a} children {b} are ill. {d} guests come too. How many people are there?"},
     {"一件衬衫原价{a}元，便宜了{b}元，{n}买了{c}件，又买了一顶{d}元的帽子，一共付多少元？",
      "{c}个班每班{a}个孩子，每班有{b}个生病了，另外来了{d}位客人，一共到了多少人？"}},
    {3,
     "a*b*c",
     "a:2-9 b:2-9 c:2-20",
     {"A school has {a} floors with {b} rooms each, and {c} {o} in every room. How many {o} are there?",
      "{n} packs {a} boxes. In each are {b} bags with {c} {o} each. How many {o} are that?"},
     {"一栋楼有{a}层，每层{b}个房间，每个房间有{c}{o}，一共有多少{o}？",
      "{n}装了{a}箱，每箱{b}袋，每袋{c}{o}，一共有多少{o}？"}},
    {3,
     "c/a*b",
     "a:2-9 k:3-40 c=a*k b:2-9",
     {"{a} {o} cost {c} yuan. What do {b} of them cost?",
      "{n} walks {c} metres in {a} minutes. How far does {n} walk in {b} minutes?"},
     {"{a}{o}要{c}元，{b}{o}要多少元？", "{n}{a}分钟走{c}米，照这样{b}分钟走多少米？"}},
    {3,
     "2*(a+b)",
     "a:5-90 b:5-90",
     {"A rectangle is {a} cm long and {b} cm wide. What is its perimeter in cm?",
      "A garden is {a} metres long and {b} metres wide. How many metres of fence go around it?"},
     {"长方形长{a}厘米，宽{b}厘米，周长是多少厘米？", "花园长{a}米，宽{b}米，围一圈篱笆要多少米？"}},
    {4,
     "a*b+c*d-e",
     "a:2-9 b:5-60 c:2-9 d:5-60 e:5-99",
     {"{n} sells {a} {o} at {b} yuan and {c} chairs at {d} yuan and pays {e} yuan of rent. How much is left?",
      "A farm picks {b} kilograms on each of {a} days and {d} kilograms on each of {c} days. {e} kilograms "
      "spoil. How many kilograms are good?"},
     {"{n}卖了{a}{o}，每{u}{b}元，又卖了{c}把椅子，每把{d}元，付了{e}元租金，还剩多少元？",
      "农场有{a}天每天摘{b}千克，有{c}天每天摘{d}千克，坏了{e}千克，好的有多少千克？"}},
    {4,
     "(a-b*c)/d",
     "d:2-9 k:3-40 b:2-9 c:3-30 a=d*k+b*c",
     {"{n} has {a} yuan, buys {b} {o} at {c} yuan each and spends the rest on {d} equal tickets. What does "
      "one "
      "ticket cost?",
      "Of {a} litres of juice, {b} jugs of {c} litres are filled. The rest goes into {d} equal barrels. How "
      "many "
      "litres are in a barrel?"},
     {"{n}有{a}元，买了{b}{o}，每{u}{c}元，剩下的钱正好买{d}张一样的票，每张票多少元？",
      "有{a}升果汁，先装了{b}壶，每壶{c}升，其余平均装进{d}个桶，每桶多少升？"}},
    {4,
     "(a+b)*c-d*e",
     "a:10-60 b:10-60 c:2-9 d:2-9 e:3-30",
     {"{n} earns {a} yuan in the morning and {b} yuan in the afternoon, for {c} days, and spends {e} yuan on "
      "each of {d} days. How much is left?",
      "A bakery makes {a} loaves and {b} rolls a day for {c} days. It sells {e} pieces to each of {d} shops. "
      "How "
      "many pieces are left?"},
     {"{n}每天上午挣{a}元，下午挣{b}元，干了{c}天，其中{d}天每天花{e}元，还剩多少元？",
      "面包店每天做{a}个面包和{b}个小圆饼，做了{c}天，卖给{d}家商店，每家{e}个，还剩多少个？"}},
    {4,
     "a*b-c*d+e",
     "a:4-9 b:30-90 c:2-9 d:5-30 e:5-99",
     {"A store has {a} boxes of {b} {o}. {c} customers buy {d} each. Then {e} more come in. How many are "
      "there?",
      "{n} drives {a} hours at {b} kilometres an hour, then goes back {c} times {d} kilometres and on {e} "
      "kilometres. How far from the start is {n}?"},
     {"仓库有{a}箱，每箱{b}{o}，{c}位顾客每人买了{d}{o}，后来又进了{e}{o}，现在有多少{o}？",
      "{n}以每小时{b}千米开了{a}小时，往回开了{c}次，每次{d}千米，又往前开了{e}千米，离出发点多少千米？"}},
    {4,
     "(a+b+c+d)/4",
     "k:10-90 a:5-90 b:5-90 c:5-90 d=k*4-a-b-c",
     {"{n} scores {a}, {b}, {c} and {d} points. What is the average?",
      "What is the average of {a}, {b}, {c} and {d}?"},
     {"{n}四次得分是{a}、{b}、{c}和{d}，平均分是多少？", "{a}、{b}、{c}、{d}的平均数是多少？"}},
};

constexpr const char* kPeople[] = {"Anna", "Ben",  "Tom",   "Lily", "Emma", "Jack", "Mia",  "Leo",
                                   "Sara", "Paul", "Maria", "Omar", "Li",   "Wang", "Nina", "Sam"};
constexpr const char* kChinesePeople[] = {"小明",   "小红",   "小刚", "小丽", "小华", "小李", "小张", "小芳",
                                          "王老师", "李叔叔", "妈妈", "爸爸", "哥哥", "妹妹", "奶奶", "爷爷"};
constexpr const char* kThings[] = {"apples", "books",  "pencils", "eggs",    "oranges", "cards",
                                   "balls",  "stamps", "cookies", "flowers", "toys",    "marbles",
                                   "pears",  "cups",   "shells",  "coins"};
struct Thing {
  const char *measure, *name;
};
constexpr Thing kChineseThings[] = {
    {"个", "苹果"}, {"本", "书"},   {"支", "铅笔"}, {"个", "鸡蛋"}, {"个", "橙子"}, {"张", "卡片"},
    {"个", "球"},   {"张", "邮票"}, {"块", "饼干"}, {"朵", "花"},   {"个", "玩具"}, {"颗", "糖"},
    {"个", "梨"},   {"个", "杯子"}, {"个", "贝壳"}, {"枚", "硬币"},
};

// Sentences whose number has nothing to do with any of the stories.
constexpr const char* kDistractors[] = {"It is {k} degrees outside. ",
                                        "The bus that stops here is number {k}. ",
                                        "{n} lives at number {k}. ",
                                        "The school was built {k} years ago. ",
                                        "It is day {k} of the month. ",
                                        "{n} sits in seat number {k}. ",
                                        "{n} has been awake since {k} minutes past six. "};
constexpr const char* kChineseDistractors[] = {"今天气温是{k}度。",     "{n}坐{k}路公交车来的。",
                                               "{n}家住{k}号。",        "这所学校建校{k}年了。",
                                               "今天是这个月的{k}号。", "{n}的座位号是{k}。"};

std::map<char, int64_t> draw_values(const char* numbers, Draw& draw) {
  std::map<char, int64_t> values;
  std::string_view rest = numbers;
  while (!rest.empty()) {
    const size_t space = rest.find(' ');
    const std::string_view entry = rest.substr(0, space);
    rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
    if (entry[1] == '=') {
      values[entry[0]] = evaluate(*parse_expression(entry.substr(2), values));
      continue;
    }
    const size_t dash = entry.find('-');
    values[entry[0]] = draw.between(std::stoll(std::string(entry.substr(2, dash - 2))),
                                    std::stoll(std::string(entry.substr(dash + 1))));
  }
  return values;
}

}  // namespace

Problem make_word_problem(Task& task) {
  Draw& draw = task.draw;
  const Story* story = nullptr;
  do {
    story = &draw.pick(kStories);
  } while (story->level != task.level);
  std::map<char, int64_t> numbers;
  ExpressionPointer expression;
  bool sensible = false;
  do {
    numbers = draw_values(story->numbers, draw);
    expression = parse_expression(story->expression, numbers);
    sensible = is_plain(*expression, 9999);
    for (const auto& [name, value] : numbers) sensible = sensible && value > 0;
  } while (!sensible);
  Values values;
  static constexpr std::string_view letters = "abcde";
  for (size_t i = 0; i < letters.size(); ++i) {
    const auto found = numbers.find(letters[i]);
    if (found != numbers.end()) values.emplace_back(letters.substr(i, 1), std::to_string(found->second));
  }
  std::string_view pattern;
  if (task.is_chinese()) {
    const auto person = static_cast<size_t>(draw.between(0, std::size(kChinesePeople) - 1));
    const size_t other = (person + static_cast<size_t>(draw.between(1, 15))) % std::size(kChinesePeople);
    const Thing& thing = draw.pick(kChineseThings);
    values.emplace_back("n", kChinesePeople[person]);
    values.emplace_back("m", kChinesePeople[other]);
    values.emplace_back("u", thing.measure);
    values.emplace_back("o", std::string(thing.measure) + thing.name);
    pattern = draw.pick(story->chinese);
  } else {
    const auto person = static_cast<size_t>(draw.between(0, std::size(kPeople) - 1));
    const size_t other = (person + static_cast<size_t>(draw.between(1, 15))) % std::size(kPeople);
    values.emplace_back("n", kPeople[person]);
    values.emplace_back("m", kPeople[other]);
    values.emplace_back("o", draw.pick(kThings));
    pattern = draw.pick(story->english);
  }
  std::string question = fill(pattern, values);
  if (draw.chance(0.2)) {
    values.emplace_back("k", std::to_string(draw.between(2, 29)));
    question =
        fill(task.is_chinese() ? draw.pick(kChineseDistractors) : draw.pick(kDistractors), values) + question;
  }
  // What has to be calculated is said first; with several operations Working::solve writes it again.
  const std::string opening =
      count_operations(*expression) > 1
          ? std::string(task.is_chinese() ? "列式：" : "Calculate:")
          : fmt::format("{}{}", task.is_chinese() ? "列式：" : "Calculate: ", to_text(*expression));
  return expression_problem(task, "word", std::move(question), expression, opening);
}

}  // namespace r1::tasks
