// Buttons, menus and dialogs of the page.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { Icon, type IconName } from './icons';

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: () => void;
  disabled?: boolean;
  class?: string;
  expanded?: boolean;
}

export function IconButton({ icon, label, onClick, disabled, class: className, expanded }: IconButtonProps) {
  return (
    <button type="button" class={`icon-button ${className ?? ''}`} aria-label={label} title={label} disabled={disabled} aria-expanded={expanded} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

export interface MenuItem {
  icon: IconName;
  label: string;
  danger?: boolean;
  onSelect: () => void;
}

/** A button with a menu in the browser's top layer, placed at the button when it opens. */
export function Menu({ label, items }: { label: string; items: MenuItem[] }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);

  function place(): void {
    if (!button.current || !menu.current) return;
    const at = button.current.getBoundingClientRect();
    const below = at.bottom + menu.current.offsetHeight + 8 < innerHeight;
    menu.current.style.top = `${below ? at.bottom + 4 : at.top - menu.current.offsetHeight - 4}px`;
    menu.current.style.left = `${Math.max(8, Math.min(at.left, innerWidth - menu.current.offsetWidth - 8))}px`;
    menu.current.querySelector('button')?.focus();
  }

  function move(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !menu.current) return;
    event.preventDefault();
    const all = [...menu.current.querySelectorAll('button')];
    const index = all.indexOf(document.activeElement as HTMLButtonElement);
    all[(index + step + all.length) % all.length]?.focus();
  }

  return (
    <>
      <button type="button" ref={button} class="icon-button" aria-label={label} title={label} aria-haspopup="menu" popovertarget={id}>
        <Icon name="more" />
      </button>
      <div id={id} ref={menu} class="menu" role="menu" popover="auto" onToggle={(event) => (event as ToggleEvent).newState === 'open' && place()} onKeyDown={move}>
        {items.map((item) => (
          <button
            key={item.label}
            type="button"
            role="menuitem"
            class={item.danger ? 'danger' : ''}
            onClick={() => {
              menu.current?.hidePopover();
              item.onSelect();
            }}
          >
            <Icon name={item.icon} />
            {item.label}
          </button>
        ))}
      </div>
    </>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
}

/** Modal for as long as it is rendered. */
export function Dialog({ title, onClose, children, wide }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${wide ? 'dialog-wide' : ''}`}
      aria-labelledby={heading}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="dialog-inner">
        <header>
          <h2 id={heading}>{title}</h2>
          <IconButton icon="close" label={t('close')} onClick={() => dialog.current?.close()} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  text: string;
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ text, action, onConfirm, onClose }: ConfirmProps) {
  return (
    <Dialog title={action} onClose={onClose}>
      <p>{text}</p>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onClose}>
          {t('cancel')}
        </button>
        <button
          type="button"
          class="button button-danger"
          onClick={() => {
            onConfirm();
            onClose();
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}
