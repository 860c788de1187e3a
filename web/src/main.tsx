import 'katex/dist/katex.min.css';
import 'uplot/dist/uPlot.min.css';
import './style/tokens.css';
import './style/base.css';
import './style/layout.css';
import './style/sidebar.css';
import './style/conversation.css';
import './style/rich_text.css';
import './style/code.css';
import './style/composer.css';
import './style/controls.css';
import './style/pages.css';
import { render } from 'preact';
import { App } from './ui/app';

render(<App />, document.getElementById('app') as HTMLElement);
