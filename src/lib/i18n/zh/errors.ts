import type { ErrorDetails, ErrorSentence } from '../explain-error';

const at = (d: ErrorDetails) => (d.fileName === undefined ? '' : `${d.fileName}：`);
const found = (d: ErrorDetails) => (d.found === undefined ? '' : `现在是 ${d.found}，`);

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
  'wrong-type': (d) =>
    d.field === undefined
      ? '有一处内容的类型不对，请检查后重试。'
      : `${at(d)}${d.field} ${found(d)}${d.allowed === undefined ? '类型不对，请改正后重试' : `应当是 ${d.allowed}`}。`,
  'out-of-range': (d) =>
    d.field === undefined
      ? '有一个数值超出了允许的范围，请改正后重试。'
      : `${at(d)}${d.field} ${found(d)}${d.allowed === undefined ? '超出了允许的范围' : `允许的范围是 ${d.allowed}`}。`,
  'not-json': (d) => `${d.fileName ?? '这个文件'} 不是 JSON，请检查文件内容，或换用 JSONL、CSV。`,

  // device
  'no-webgpu': () =>
    '这个浏览器没有 WebGPU，无法训练；请用较新的 Chrome、Edge 或 Safari 打开。对话仍可用。',
  'no-adapter': () =>
    '浏览器支持 WebGPU，但没有找到可用的显卡，无法训练；请检查浏览器的硬件加速是否打开。对话仍可用。',
  'device-lost': () => '显卡与页面断开了连接；已保存的检查点都在，请重新启动引擎。',
  'out-of-memory': (d) =>
    d.suggestion === undefined
      ? '显存不够；请减小每批条数或最大长度，或换一个更小的模型。'
      : `显存不够；这样可以放得下：${d.suggestion}。`,
  limit: () => '所需的显存缓冲超出了这块显卡的上限，请换一个更小的模型，或减小最大长度。',
  validation: () => '显卡拒绝了一次操作，结果不可信，已停止；请重新启动引擎后再试。',
  shader: () => '显卡驱动没能编译计算程序，请更新浏览器或显卡驱动。',
  'not-finite': () => '训练中出现了无效的数值，已停在上一个检查点；请调低学习率后再试。',

  // files
  truncated: (d) => `${d.fileName ?? '文件'} 不完整，像是没有下载完；请重新取得完整的文件。`,
  corrupt: (d) => `${d.fileName ?? '文件'} 的内容自相矛盾，已损坏；请重新取得原文件。`,
  'too-large': (d) => `${d.fileName ?? '文件'} 超过了允许的大小，请换一个更小的文件。`,
  'wrong-format': (d) => `${d.fileName ?? '文件'} 不是这里需要的格式，请检查选对了文件。`,
  'unsafe-name': () => '压缩包里有会写到文件夹之外的文件名，为安全起见没有导入。',
  'missing-file': (d) =>
    `缺少文件${d.fileName === undefined ? '' : ` ${d.fileName}`}；请把整个模型文件夹一起放进来。`,
  'missing-shard': (d) =>
    `缺少权重分片${d.fileName === undefined ? '' : ` ${d.fileName}`}；请把全部分片一起放进来。`,
  'nan-weights': (d) =>
    `权重${d.tensor === undefined ? '' : ` ${d.tensor}`} 里有无效的数值（NaN），这样的模型不能用；请换一份文件。`,
  'adapter-mismatch': () => '这个适配器不是为这个模型训练的；请选择它对应的原模型。',

  // data
  'no-rows': () => '没有读到任何一条数据；请检查文件是否为空。',
  'empty-dataset': () => '没有读到任何一条数据；请检查文件是否为空。',
  'all-rows-cut': (d) =>
    `每一条的回答都被最大长度${d.maxLength === undefined ? '' : `（${d.maxLength}）`}截掉了，无从学起；请把 max_length 调大。`,

  // storage
  'second-tab': () => '砚已在另一个标签页中打开；请回到那一页，或关掉它后再试。',
  'storage-full': () =>
    '这台设备上留给网页的空间满了；请在“设置”里删掉不用的模型或训练，再试一次。',
  'quota-exceeded': () =>
    '这台设备上留给网页的空间满了；请在“设置”里删掉不用的模型或训练，再试一次。',
  'no-storage': () => '浏览器不允许本页保存文件（可能是隐私窗口）；关闭标签页后内容不会留下。',

  // network and worker
  offline: () => '现在没有网络，这个模型还没有下载；请联网后再试。',
  sealed: () => '封印已合上，不会发出外部请求；要下载模型，请先在“设置”里打开封印。',
  'worker-crashed': () => '后台引擎停止了工作；已保存的检查点都在，请重新启动引擎。',
  'nothing-to-resume': () => '这次训练还没有检查点，无法继续；请重新开始。',
} satisfies Record<string, ErrorSentence>;
