// The page of `r1 eval … --ui`: one evaluation while it runs.
import 'uplot/dist/uPlot.min.css';
import '../style/tokens.css';
import '../style/base.css';
import '../style/layout.css';
import '../style/pages.css';
import '../training/page.css';
import './page.css';
import { render } from 'preact';
import { EvaluationPage } from './page';

render(<EvaluationPage />, document.getElementById('app') as HTMLElement);
