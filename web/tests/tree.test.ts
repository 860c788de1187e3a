import { describe, expect, it } from 'vitest';
import type { ConversationNode, UserNode } from '../src/api/types';
import { EMPTY_TREE, newestLeaf, pathTo, placeOf, treeOf, withNode } from '../src/state/tree';

function node(id: string, parent: string | null, content = id): UserNode {
  return { id, parent, role: 'user', created: 0, content, files: [] };
}
const ids = (path: ConversationNode[]) => path.map((n) => n.id).join('');

// a ─ b ─ c      a, f: two versions of the first question
//  │   └ d
//  └ e
// f ─ g
const tree = treeOf([node('a', null), node('b', 'a'), node('c', 'b'), node('d', 'b'), node('e', 'a'), node('f', null), node('g', 'f')]);

describe('tree', () => {
  it('gives the path to a leaf', () => {
    expect(ids(pathTo(tree, 'd'))).toBe('abd');
    expect(ids(pathTo(tree, null))).toBe('');
    expect(ids(pathTo(tree, 'nowhere'))).toBe('');
  });
  it('does not loop in a damaged tree', () => {
    expect(pathTo(treeOf([node('x', 'y'), node('y', 'x')]), 'x')).toEqual([]);
  });
  it('goes down the newest way', () => {
    expect(newestLeaf(tree, 'a')).toBe('e');
    expect(newestLeaf(tree, 'b')).toBe('d');
    expect(newestLeaf(tree, null)).toBe('g');
    expect(newestLeaf(EMPTY_TREE, null)).toBeNull();
  });
  it('knows the place among versions', () => {
    expect(placeOf(tree, node('e', 'a'))).toEqual({ position: 2, count: 2, previous: 'b', next: null });
    expect(placeOf(tree, node('a', null))).toEqual({ position: 1, count: 2, previous: null, next: 'f' });
  });
  it('adds and replaces without changing the old tree', () => {
    const added = withNode(tree, node('h', 'b'));
    expect(placeOf(added, node('h', 'b')).count).toBe(3);
    expect(placeOf(tree, node('c', 'b')).count).toBe(2);
    const replaced = withNode(added, node('h', 'b', 'new'));
    expect(replaced.nodes.get('h')?.content).toBe('new');
    expect(placeOf(replaced, node('h', 'b')).count).toBe(3);
  });
});
