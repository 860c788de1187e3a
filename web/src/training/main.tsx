// The page of `r1 train … --ui` and `r1 train watch`: one training run, by the files it leaves.
import 'uplot/dist/uPlot.min.css';
import '../style/tokens.css';
import '../style/base.css';
import '../style/layout.css';
import '../style/pages.css';
import './page.css';
import { render } from 'preact';
import { TrainingPage } from './page';

render(<TrainingPage />, document.getElementById('app') as HTMLElement);
