import type { ErrorDetails, ErrorSentence } from '../explain-error';
import { wordChanges } from '../suggested-changes';
import { methods } from './methods';
import { recipe } from './recipe';

/** Labels and values of all that a suggestion changes, as the form has them. */
const fields = { ...recipe.fields, peft_type: [methods.legend] };
const values: Readonly<Record<string, string>> = {
  ...recipe.choices,
  LORA: methods.cards.lora.title,
};

const at = (d: ErrorDetails) => (d.fileName === undefined ? '' : `${d.fileName}：`);
const changes = ({ suggestion = '' }: ErrorDetails) =>
  wordChanges(suggestion, fields, (label, value) =>
    value === 'true' ? `打开“${label}”` : `把${label}改为 ${values[value] ?? value}`,
  ).join('、');
const found = (d: ErrorDetails) => (d.found === undefined ? '' : `现在是 ${d.found}，`);

const KINDS: Readonly<Record<string, string>> = {
  number: '一个数',
  whole: '整数',
  boolean: ' true 或 false',
  text: '一段文字',
  object: '一个对象',
  steps: '从 1 起的整数，或 0 到 1 之间的比例',
};

const YAML_FLAWS: Readonly<Record<string, string>> = {
  syntax: '不是 YAML，请检查缩进和冒号',
  size: '太长，YAML 配方最多 65536 个字符',
  depth: '嵌套得太深，最多 64 层',
  documents: '开始了第二份文档，一个文件里只能有一份',
  duplicate: '重复写了同一个名字，请只留一处',
  alias: '用了锚点或别名，请写出它代表的内容',
  tag: '用了类型标记，请去掉',
  merge: '用了合并键，请写出要合并的内容',
  key: '有一个值没有普通的名字',
};

function bounds({ min, max, open }: ErrorDetails): string | undefined {
  const ends = open === undefined ? '' : '（不含两端）';
  if (min !== undefined && max !== undefined) return `${min} 到 ${max}${ends}`;
  if (min !== undefined) return open === undefined ? `不小于 ${min}` : `大于 ${min}`;
  return max === undefined ? undefined : `不大于 ${max}`;
}

/** One sentence a code: what was found, what is allowed, what to do. */
export const errors = {
  unknown: (_d: ErrorDetails) =>
    '出了意料之外的问题，操作没有完成；你的数据没有改动，可以再试一次。',
  unexpected: () => '出了意料之外的问题，操作没有完成；你的数据没有改动，可以再试一次。',
  disposed: () => '引擎已重新启动，这一步没有做完，请再试一次。',
  aborted: () => '已取消，什么都没有改动。',

  // config
  'unsupported-architecture': (d) =>
    `这个模型的结构${d.found === undefined ? '' : `（${d.found}）`}暂不支持；可用的有 ${d.allowed ?? 'Llama、Mistral、Qwen2、Qwen3'}，请换一个这类模型。`,
  'unsupported-option': (d) =>
    d.field === undefined
      ? '配置里有暂不支持的选项，请换成支持的值。'
      : `${at(d)}选项 ${d.field} ${found(d)}${d.allowed === undefined ? '暂不支持，请换一个值' : `允许的是 ${d.allowed}`}。`,
  'missing-field': (d) =>
    d.field === undefined
      ? '文件里缺少必需的字段，请使用发布时的原文件。'
      : `${at(d)}缺少 ${d.field}，请使用发布时的原文件。`,
  'wrong-type': (d) => {
    const wanted = KINDS[d.needs ?? ''] ?? (d.allowed === undefined ? undefined : ` ${d.allowed}`);
    if (d.field === undefined) return '有一处内容的类型不对，请检查后重试。';
    return `${at(d)}${d.field} ${found(d)}${wanted === undefined ? '类型不对，请改正后重试' : `应当是${wanted}`}。`;
  },
  'out-of-range': (d) => {
    const range = bounds(d) ?? d.allowed;
    const kind = d.needs === 'whole' ? ' 的整数' : '';
    if (d.field === undefined) return '有一个数值超出了允许的范围，请改正后重试。';
    return `${at(d)}${d.field} ${found(d)}${range === undefined ? '与别的选项不合，请改正后重试' : `允许的范围是 ${range}${kind}`}。`;
  },
  'not-json': (d) => `${d.fileName ?? '这个文件'} 不是 JSON，请检查文件内容，或换用 JSONL、CSV。`,
  'not-yaml': (d) =>
    `${d.fileName ?? '这个文件'}${d.line === undefined ? '' : ` 第 ${d.line} 行`}${YAML_FLAWS[d.flaw ?? ''] ?? '不是 YAML，请检查写法'}${d.found === undefined ? '' : `（${d.found}）`}。`,
  'no-settings': (d) =>
    `${d.fileName ?? '这个文件'} 里没有读到训练设置；请选“保存设置”存下的文件、训练卡片、PEFT 的 adapter_config.json、Trainer 参数的 JSON，或 LLaMA-Factory、axolotl 的 YAML 配方。`,

  // device
  'no-webgpu': () =>
    '这个浏览器没有 WebGPU，无法训练；请用较新的 Chrome、Edge 或 Safari 打开。对话仍可用。',
  'no-adapter': () =>
    '浏览器支持 WebGPU，但没有找到可用的显卡，无法训练；请检查浏览器的硬件加速是否打开。对话仍可用。',
  'device-lost': () => '显卡与页面断开了连接；已保存的检查点都在，请重新启动引擎。',
  'out-of-memory': (d) =>
    d.suggestion === undefined
      ? '显存不够；请减小每批条数或最大长度，或换一个更小的模型。'
      : `显存不够；可以试试${changes(d)}。`,
  'ran-out-before': (d) =>
    `在这台设备上，要用 ${d.failed} 显存的训练曾因显存不够而停下，这一次多半也不够；${d.suggestion === undefined ? '请换一个更小的模型' : `${changes(d)}，只需 ${d.needed}`}。`,
  limit: (d) =>
    d.suggestion === undefined
      ? '所需的显存缓冲超出了这块显卡的上限，请换一个更小的模型，或减小最大长度。'
      : `这样训练所需的显存缓冲超出了这块显卡的上限；${changes(d)}，就放得下。`,
  validation: () => '显卡拒绝了一次操作，结果不可信，已停止；请重新启动引擎后再试。',
  shader: () => '显卡驱动没能编译计算程序，请更新浏览器或显卡驱动。',

  // files
  truncated: (d) => `${d.fileName ?? '文件'} 不完整，像是没有下载完；请重新取得完整的文件。`,
  corrupt: (d) => {
    if (d.column !== undefined)
      return `${d.fileName} 有两列都叫“${d.column}”；每个列名只能出现一次，请改名后再放进来。`;
    if (d.row === undefined)
      return `${d.fileName ?? '文件'} 的内容自相矛盾，已损坏；请重新取得原文件。`;
    const place = d.line === undefined ? '' : `（文件第 ${d.line} 行）`;
    return `${d.fileName} 的第 ${d.row} 条${place}不是完整的 JSON；请改正后再放进来。`;
  },
  'too-large': (d) => `${d.fileName ?? '文件'} 超过了允许的大小，请换一个更小的文件。`,
  'wrong-format': (d) => `${d.fileName ?? '文件'} 不是这里需要的格式，请检查选对了文件。`,
  'too-many-files': (d) =>
    `这里有 ${d.found} 个文件，每个都会成为一份数据；一次最多读入 ${d.allowed} 个。请少选几个，或把它们合成一个文件。`,
  unsupported: (d) => `${d.fileName ?? '文件'} 用了这里不支持的写法，请换一种格式保存后再试。`,
  'invalid-value': () => '有一个值不能这样写，请按提示改正后再试。',
  'not-found': (d) =>
    `没有找到${d.id === undefined && d.what === undefined ? '要用的内容' : ` ${d.id ?? d.what}`}，可能已被删除；请刷新后再试。`,
  'unsafe-name': () => '压缩包里有会写到文件夹之外的文件名，为安全起见没有导入。',

  // models and adapters
  'missing-tensor': (d) =>
    `缺少权重${d.name === undefined ? '' : ` ${d.name}`}；请把 config.json、tokenizer.json 和全部 safetensors 分片一起放进来。`,
  'wrong-shape': (d) =>
    `权重 ${d.name ?? ''} 的形状${d.found === undefined ? '' : `是 ${d.found}，`}与 config.json 不符${d.allowed === undefined ? '' : `（应为 ${d.allowed}）`}；请使用同一次发布的文件。`,
  'wrong-dtype': (d) =>
    `权重${d.name === undefined ? '' : ` ${d.name}`} 的数值类型不支持；支持 float32、float16 和 bfloat16。`,
  'not-finite': (d) =>
    `${d.name === undefined ? '权重' : `权重 ${d.name}`} 里有无效的数值（NaN 或无穷大），这样的模型不能用；请换一份文件。`,
  'changed-base': (d) =>
    d.found === 'loftq'
      ? '这个适配器（init_lora_weights 为 loftq）只适合被它压到低位数的底模；请先和那个底模合并，再导入合并后的模型。'
      : `这个适配器${d.found === undefined ? '' : `（init_lora_weights 为 ${d.found}）`}只适合减去起点后的底模；请用 PEFT 的 path_initial_model_for_weight_conversion 重新保存成普通 LoRA。`,
  'cannot-merge': () => '前缀不能合并进权重；请直接导出适配器，或改用 LoRA。',
  'wrong-model': () => '这个适配器不是为这个模型训练的；请选择它对应的原模型。',
  'no-target': () => '所选的模块在这个模型里一个也没有，没有可训练的参数；请换一组模块。',
  'unsupported-target': (d) =>
    `target_modules 的正则表达式也匹配了 ${d.name ?? '别的模块'}，它不是层里的线性模块；请写得窄一些，或把它写进 exclude_modules。`,
  'costly-pattern': () =>
    '设置里的正则表达式在这个模型上匹配得太久；请少写重复，或直接用列表写出模块名。',
  'rank-too-large': (d) =>
    `从权重出发的初始化（PiSSA、OLoRA）要求秩不超过矩阵较短的一边${d.allowed === undefined ? '' : `（这里最多 ${d.allowed}）`}；请把 r 调小，或不选${d.name === undefined ? '这个模块' : ` ${d.name}`}。`,
  'odd-rank': (d) =>
    `正交起步（orthogonal）只能用偶数的秩${d.found === undefined ? '' : `，而${d.name === undefined ? '这里' : ` ${d.name} `}是 ${d.found}`}；请${d.allowed === undefined ? '改成偶数' : `改成 ${d.allowed}`}，或换一种起步方式。`,
  'bad-tokenizer': () => '分词器文件（tokenizer.json）读不懂；请使用发布时的原文件。',
  'unsupported-model': () => '这个模型的形状无法导出为 ONNX；可以改为导出 safetensors。',
  'bad-weights': () => '权重与 config.json 不符；请使用同一次发布的文件。',
  'bad-files': () =>
    '文件不齐或不是同一个模型的：需要 config.json、tokenizer.json 和全部 safetensors；请把整个文件夹一起放进来。',
  'model-in-use': () => '训练正在使用这个模型；请先停止训练。',
  bundled: () => '这是自带的内容，不能删除。',
  'nothing-held-back': (d) =>
    `${d.name === undefined ? '那次训练' : `“${d.name}”`}没有留出题目；请换一份它没学过的数据来评测。`,
  evicted: (d) =>
    `${d.name ?? '这项内容'} 在本机上已不完整：浏览器清理了它的一部分文件。请重新导入，它会回到原来的位置。`,
  'data-gone': (d) =>
    `这次训练所用的数据${d.name === undefined ? '' : `“${d.name}”`}已不在本机上；请重新导入同一个文件，再接着训练。`,
  'model-gone': (d) =>
    `这次训练所用的模型${d.name === undefined ? '' : `“${d.name}”`}已不在本机上；请重新导入同样的文件，再接着训练。`,
  'data-changed': (d) =>
    `${d.name === undefined ? '数据' : `“${d.name}”`}的内容已和这次训练开始时不同，不能作为同一次训练接着做；可以从它最后的检查点再训练一轮。`,
  'model-changed': (d) =>
    `${d.name === undefined ? '模型' : `“${d.name}”`}在本机上已是另一个版本，和这次训练开始时不同；请重新开始一次训练。`,
  'wrong-archive': (d) =>
    `${d.fileName ?? '这个文件'} 无法导入：它不是“导出全部内容”写出的原样文件，或已损坏；请用原来的文件重试。这里什么都没有改动。`,
  'newer-archive': (d) =>
    `${d.fileName ?? '这个文件'} 是更新版本的砚写出的；请刷新页面更新后再导入。这里什么都没有改动。`,
  'bad-adapter': () => '这个适配器与模型对不上；请选择它对应的原模型。',

  // data
  'no-rows': () => '没有读到任何一条数据；请检查文件是否为空。',
  'no-eval-rows': () => '没有留出用来评测的数据；请调高评测比例，或把 eval_strategy 设为 no。',
  'answers-cut': () => '每一条的回答都被最大长度截掉了，无从学起；请把 max_length 调大。',
  'no-targets': () => '数据里没有要学的回答；请检查每一条的回答是否为空。',
  'too-long': (d) =>
    `${d.row === undefined ? '有一条数据' : `第 ${d.row} 条数据`}${d.found === undefined ? '' : `有 ${d.found} 个词元，`}超过了模型的最大长度${d.allowed === undefined ? '' : ` ${d.allowed}`}；请把 max_length 调小。`,
  'wrong-token': (d) =>
    `${d.row === undefined ? '数据' : `第 ${d.row} 条数据`}里有这个模型词表之外的词元；请换用为它分词的数据。`,
  'bad-row': (d) =>
    `${d.row === undefined ? '有一条' : `第 ${d.row} 条`}数据无法变成词元；请检查它的内容。`,
  'bad-token-id': (d) =>
    `${d.row === undefined ? '有一条' : `第 ${d.row} 条`}数据里的词元不在这个模型的词表里，像是用别的分词器做的；请换成对应的模型，或用文字的数据。`,
  unencodable: () => '有些文字这个模型的分词器写不出来；请换一个模型，或去掉这些文字。',
  'chat-template': (d) =>
    d.row === undefined
      ? '模型的对话模板不接受这样的对话；请清空对话后再试。'
      : `第 ${d.row} 条数据不合模型的对话模板；请改好或去掉这一条。`,
  diverged: (d) =>
    `${d.step === undefined ? '' : `第 ${d.step} 步的`}损失不再是有效的数值，已停在上一个检查点；请把 learning_rate 调小后再试。`,
  'no-training': () => '这台设备不能训练；对话和查看数据仍可用。',
  'not-running': () => '现在没有正在进行的训练。',
  'no-f16': () => 'fp16 需要能做 16 位运算的显卡（shader-f16），这台设备不能；请关闭 fp16。',
  'wrong-checkpoint': () => '检查点与这次训练的设置对不上，无法接着训练；请重新开始。',
  runtime: (d) =>
    d.fileName === undefined
      ? '对话程序没能启动；请刷新页面后再试。'
      : `对话程序的文件 ${d.fileName} 没有完整地送到，或已损坏；请检查网络后再试，仍不行就更新浏览器。`,
  session: () => '对话程序没能运行这个模型；请再试一次，或换一个更小的模型。',
  'prompt-too-long': (d) =>
    `对话太长了${d.found === undefined ? '' : `（${d.found} 个词元）`}，这个模型最多容纳${d.allowed === undefined ? '更短的内容' : ` ${d.allowed} 个`}；请清空对话后再问。`,

  // storage
  'second-tab': () => '砚已在另一个标签页中打开；请回到那一页，或关掉它后再试。',
  full: () => '这台设备上留给网页的空间满了；请在“设置”或“模型”里删掉不用的内容，再试一次。',
  unavailable: () => '浏览器不允许本页保存文件（可能是隐私窗口）；关闭标签页后内容不会留下。',
  busy: () => '有任务正在进行，或文件正被占用；请等它结束后再试。',
  'newer-version': () => '另一个标签页已经用上了新版本；请刷新本页。',
  failed: () => '浏览器没能读写本机的文件；请再试一次。',

  // network and worker
  offline: () => '现在没有网络，这个模型还没有下载；请联网后再试。',
  sealed: () => '封印已合上，不会发出外部请求；要下载模型，请先在“设置”里打开封印。',
  'host-not-allowed': (d) =>
    `站点${d.host === undefined ? '' : ` ${d.host}`} 不在允许的名单里，没有发出请求；请从目录里选择模型。`,
  'bad-request': () => '这个模型的地址写得不对；请写成“作者/名称”。',
  gated: (d) =>
    `作者要求先同意条款才能下载${d.page === undefined ? '' : `：请到 ${d.page} 同意`}，再试一次。`,
  'token-refused': () => '访问令牌没有被接受；请检查后再试。',
  'rate-limited': () => '下载站点请我们稍等；请过几分钟再试，已下载的部分都在。',
  server: () => '下载站点暂时出了故障；请稍后再试，已下载的部分都在。',
  dropped: () => '下载中断了；请检查网络后再试，会从断开处接着下载。',
  'bad-answer': () => '下载站点的回答看不懂；请稍后再试，或换一个镜像。',
  'wrong-bytes': () => '下载到的文件与发布的不一致，没有采用；请再试一次。',
  'unsupported-files': () =>
    '这个模型没有砚能打开的文件；需要 config.json、tokenizer.json 和 safetensors。',
  'worker-crashed': () => '后台引擎停止了工作；已保存的检查点都在，请重新启动引擎。',
} satisfies Record<string, ErrorSentence>;
