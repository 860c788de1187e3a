// A conversation as a tree of questions and answers; never changed in place.
import type { ConversationNode } from '../api/types';

export interface Tree {
  nodes: ReadonlyMap<string, ConversationNode>;
  children: ReadonlyMap<string | null, readonly string[]>; // in the order of their making
}

export const EMPTY_TREE: Tree = { nodes: new Map(), children: new Map() };

/** `nodes` has parents before children. */
export function treeOf(nodes: readonly ConversationNode[]): Tree {
  const children = new Map<string | null, string[]>();
  for (const node of nodes) {
    const siblings = children.get(node.parent);
    if (siblings) siblings.push(node.id);
    else children.set(node.parent, [node.id]);
  }
  return { nodes: new Map(nodes.map((node) => [node.id, node])), children };
}

/** With `node` added as its parent's last child, or replaced where it was. */
export function withNode(tree: Tree, node: ConversationNode): Tree {
  const nodes = new Map(tree.nodes).set(node.id, node);
  if (tree.nodes.has(node.id)) return { nodes, children: tree.children };
  const children = new Map(tree.children).set(node.parent, [...(tree.children.get(node.parent) ?? []), node.id]);
  return { nodes, children };
}

/** From the first question to `leaf`; empty when there is no such node. */
export function pathTo(tree: Tree, leaf: string | null): ConversationNode[] {
  const path: ConversationNode[] = [];
  for (let id = leaf; id !== null; ) {
    const node = tree.nodes.get(id);
    if (!node || path.length > tree.nodes.size) return [];
    path.push(node);
    id = node.parent;
  }
  return path.reverse();
}

/** The newest way down from `id` (null: from the root) to a node without children; null in an empty tree. */
export function newestLeaf(tree: Tree, id: string | null): string | null {
  for (let at = id; ; ) {
    const next = tree.children.get(at)?.at(-1);
    if (next === undefined) return at;
    at = next;
  }
}

export interface Place {
  position: number; // from 1
  count: number;
  previous: string | null;
  next: string | null;
}

/** Where a node stands among its siblings: the <2/3> of the page. */
export function placeOf(tree: Tree, node: ConversationNode): Place {
  const siblings = tree.children.get(node.parent) ?? [node.id];
  const index = siblings.indexOf(node.id);
  return { position: index + 1, count: siblings.length, previous: siblings[index - 1] ?? null, next: siblings[index + 1] ?? null };
}
