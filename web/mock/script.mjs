// What the scripted model thinks and says. Words in the question choose: maths, code, table, long N, slow, queue,
// prefill, loading, error, limit, full, unsafe; several at once are answered one after another.

const THOUGHTS_EN = `Okay, so I need to work out what is being asked here. Let me read it again, slowly.

First, I should recall what is known. If $n$ is even then $n = 2k$ for some integer $k$, and that settles half of the cases already.

Wait, is that right? Let me check with a small example: for $n = 4$ we get $k = 2$. Good.

Hmm, the other half needs more care. Suppose the opposite; then there would be a smallest counterexample, and from it I can build a smaller one. That is the contradiction that I wanted.

So the answer should begin with the idea, then give the steps, and end with a check.`;

const THOUGHTS_ZH = `好的，我先仔细读一遍题目。

首先，回忆一下已知条件：若 $n$ 为偶数，则存在整数 $k$ 使得 $n = 2k$。

等等，这样对吗？用一个小例子检验：$n = 4$ 时 $k = 2$，没有问题。

剩下的情况用反证法。假设结论不成立，那么存在最小的反例，由它可以构造更小的反例，矛盾。`;

const PARTS = {
  maths: `### The idea

The sum of the first $n$ squares has a closed form,

\\[
\\sum_{k=1}^{n} k^2 = \\frac{n(n+1)(2n+1)}{6},
\\]

which follows by induction. For the step, add \\((n+1)^2\\) to both sides:

$$
\\frac{n(n+1)(2n+1)}{6} + (n+1)^2 = \\frac{(n+1)(n+2)(2n+3)}{6}.
$$

As $n \\to \\infty$ the sum grows like $\\tfrac{1}{3}n^3$, as the integral $\\int_0^n x^2\\,dx$ suggests. It costs $5 to print and $10 to frame.

\\[
\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix}^{-1} = \\frac{1}{ad-bc}\\begin{pmatrix} d & -b \\\\ -c & a \\end{pmatrix}
\\]`,
  code: `A short version in Python:

\`\`\`python
from functools import lru_cache

@lru_cache(maxsize=None)
def partitions(n: int, largest: int) -> int:
    """Ways to write n as a sum of parts no larger than \`largest\`."""
    if n == 0:
        return 1
    return sum(partitions(n - part, part) for part in range(1, min(n, largest) + 1))

print(partitions(100, 100))  # 190569292
\`\`\`

It takes \`O(n²)\` states. Run it with:

\`\`\`sh
python3 partitions.py
\`\`\``,
  table: `| Model | Layers | Width | Context |
|---|---:|---:|---:|
| Distill-Qwen-1.5B | 28 | 1536 | 131,072 |
| Distill-Llama-8B | 32 | 4096 | 131,072 |
| R1 | 61 | 7168 | 163,840 |

> The last one is a mixture of experts: 37 of its 671 billion weights work on each token.`,
  unsafe: `<script>document.title = "owned"</script><img src=x onerror="document.title='owned'">

[a link](javascript:document.title='owned') and ![a picture](https://tracker.example/p.png).`,
  cite: `The first lighthouse stood on Pharos[citation:1]. It was about 100 metres tall[citation:1][citation:2], and its light was seen from 50 km away[citation:3].

A claim that nobody made has a number of its own[citation:9].`,
};

const PLAIN_EN = `Here is a calm way to look at it.

1. **Name what is given.** Two facts, and a question that connects them.
2. **Find the turning point.** Everything before it is preparation, everything after it is bookkeeping:
   - the even case is immediate,
   - the odd case needs the argument by *descent*.
3. **Check.** For $n = 4$ both sides give \`16\`.

In short: the statement holds for all $n \\ge 1$, and the proof is shorter than the question.`;

const PLAIN_ZH = `可以这样来看。

1. **写出已知条件**：两个事实，和连接它们的问题。
2. **找到关键的一步**：偶数的情形显然，奇数的情形用*无穷递降法*。
3. **检验**：当 $n = 4$ 时，两边都等于 16。

因此，结论对所有 $n \\ge 1$ 成立：

\\[
1 + 3 + 5 + \\cdots + (2n-1) = n^2.
\\]`;

function longText(paragraphs) {
  const lines = [];
  for (let i = 1; i <= paragraphs; i++) {
    lines.push(
      i % 12 === 0
        ? `## Part ${i / 12}\n\n\`\`\`c\nfor (int i = 0; i < ${i}; ++i) sum += weights[i] * inputs[i];\n\`\`\``
        : `Paragraph ${i} goes on about the same matter with $x_{${i}} = ${i}^2$, **some weight**, and enough words to fill two lines of the page, so that one sees what a long answer does to it.`,
    );
  }
  return lines.join('\n\n');
}

export function scriptFor(question, { deepThink, search, version }) {
  const chinese = /[\u4e00-\u9fff]/.test(question);
  const parts = Object.keys(PARTS).filter((word) => question.toLowerCase().includes(word) || (word === 'cite' && search));
  const long = /long (\d+)/.exec(question);
  const body = long ? longText(Number(long[1])) : parts.length > 0 ? parts.map((p) => PARTS[p]).join('\n\n') : chinese ? PLAIN_ZH : PLAIN_EN;
  return {
    reasoning: deepThink ? (chinese ? THOUGHTS_ZH : THOUGHTS_EN) : '',
    content: version > 1 ? `(Version ${version}.)\n\n${body}` : body,
    slow: /slow/.test(question),
    queue: /queue/.test(question) ? 3 : 0,
    loading: /loading/.test(question),
    prefill: /prefill/.test(question) ? 12_000 : 0,
    failsAfter: /error/.test(question) ? 60 : Infinity,
    limit: /limit|full/.test(question) ? 40 : Infinity,
    fillsContext: /full/.test(question),
  };
}

export const SOURCES = [
  { number: 1, title: 'The Pharos of Alexandria', url: 'https://example.org/pharos', document: null, site: 'example.org', date: '2024-03-01', snippet: 'Built under Ptolemy II, it was for centuries among the tallest structures made by people.' },
  { number: 2, title: 'notes/wonders.md', url: null, document: 'document-01', site: 'notes', date: null, snippet: 'Height: between 100 and 118 m, depending on whom one believes.' },
  { number: 3, title: 'Visibility of lights at sea', url: 'https://example.org/optics/visibility', document: null, site: 'example.org', date: '2021-11-17', snippet: 'Geometric range of a light at 100 m is about 20 nautical miles; with a high observer, 50 km are possible.' },
];
